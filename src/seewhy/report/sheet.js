const nav = document.querySelector("nav"), body = document.querySelector("tbody"), rows = [...body.rows];
const number = (row, name) => Number(row.dataset[name]);
const given = (a, b) => number(a, "given") - number(b, "given");
const without = (a, b) => (number(a, "maps") ? 0 : 1) - (number(b, "maps") ? 0 : 1);
const confidence = (a, b) => number(b, "confidence") - number(a, "confidence");
const orders = {
  given,
  name: (a, b) => without(a, b) || (a.dataset.name < b.dataset.name ? -1 : a.dataset.name > b.dataset.name ? 1 : 0),
  confidence: (a, b) => without(a, b) || confidence(a, b),
  doubt: (a, b) => without(a, b) || confidence(b, a),
  wrong: (a, b) => without(a, b) || number(b, "wrong") - number(a, "wrong") || confidence(a, b),
};
nav.hidden = rows.length < 2;
nav.addEventListener("click", (event) => {
  const key = event.target.dataset.key;
  if (!key) return;
  rows.sort((a, b) => orders[key](a, b) || given(a, b));
  body.append(...rows);
  for (const button of nav.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.key === key));
});
