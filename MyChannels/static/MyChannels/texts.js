// The page's texts. Django renders them, translated, into <template id="texts">.

/**
 * @param {HTMLTemplateElement} template whose children carry data-text="name"
 * @returns {Record<string, string>}
 */
export function readTexts(template) {
  const texts = {};
  for (const element of template.content.querySelectorAll("[data-text]")) {
    texts[element.dataset.text] = element.textContent.trim();
  }
  return texts;
}

/**
 * Replaces the {placeholders} of a text. A placeholder without a value stays unchanged.
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (place, name) =>
    Object.hasOwn(values, name) ? String(values[name]) : place,
  );
}
