// The page's own words. Django renders them, translated, into <template id="texts">.

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
 * Puts values into the {places} of a text; a place without a value stays as it is.
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (place, name) =>
    Object.hasOwn(values, name) ? String(values[name]) : place,
  );
}
