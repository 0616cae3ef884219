// The oldest browsers that the pages' modules run in; docs/chat-client.md names them too.
import compat from "eslint-plugin-compat";

export default [
  {
    ...compat.configs["flat/recommended"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module" },
    settings: { browsers: ["chrome 97", "edge 97", "firefox 96", "safari 15.4", "ios_saf 15.4"] },
  },
];
