// Building the page: text is always set as text, never as markup.

/** Make an element; keys beginning with "on" are listeners, children that are strings are text. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

/** Text set only where it changed: what did not change costs nothing to draw. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setItems(list, sentences) {
  while (list.children.length > sentences.length) list.lastChild.remove();
  sentences.forEach((sentence, i) => {
    if (i === list.children.length) list.append(el("li"));
    setText(list.children[i], sentence);
  });
}

/** The id of an organization, isolated so that a name written from right to left turns nothing round. */
const bdi = (text) => el("bdi", {}, text);

/**
 * A table whose cells are updated in place. A cell is a text, or {text, value, small, mark}: `value` is the exact number,
 * `small` stands below in small type, `mark` names a class. The first `nLeft` columns hold words.
 */
function makeTable(caption, head, nLeft = 1, className = "") {
  const captionNode = el("caption");
  const headRow = el("tr"), body = el("tbody");
  const table = el("table", { class: className }, captionNode, el("thead", {}, headRow), body);
  const node = el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption }, table);
  const shown = [];
  let heads = "";
  const view = { node, rows: [], head: [] };
  view.update = (rows, newHead = head, newCaption = caption) => {
    view.rows = rows;
    view.head = newHead;
    setText(captionNode, newCaption);
    if (heads !== newHead.join("\u0000")) {
      heads = newHead.join("\u0000");
      headRow.replaceChildren(...newHead.map((text, i) => el("th", { scope: "col", class: i < nLeft ? "left" : null }, text)));
    }
    while (shown.length > rows.length) { shown.pop(); body.lastChild.remove(); }
    rows.forEach((row, i) => {
      if (i === shown.length || shown[i].length !== row.length) {
        const cells = row.map((_, j) => makeCell(j, nLeft));
        const line = el("tr", {}, cells.map((cell) => cell.node));
        if (i === shown.length) body.append(line);
        else body.children[i].replaceWith(line);
        shown[i] = cells;
      }
      row.forEach((content, j) => shown[i][j].set(content));
    });
  };
  view.update([]);
  return view;
}

function makeCell(column, nLeft) {
  const main = column === 0 ? bdi("") : el("data", { value: "" });
  const small = el("span", { class: "small" });
  const node = column === 0 ? el("th", { scope: "row" }, main) : el("td", { class: column < nLeft ? "left" : null }, main);
  let value = "", mark = "";
  const set = (content) => {
    const cell = typeof content === "string" ? { text: content } : content;
    setText(main, cell.text);
    const exact = cell.value === undefined || cell.value === null ? "" : String(cell.value);
    if (column > 0 && exact !== value) { main.setAttribute("value", exact); value = exact; }
    if ((cell.mark ?? "") !== mark) { mark = cell.mark ?? ""; node.classList.toggle("marked", mark !== ""); }
    if (cell.small && !small.parentNode) node.append(small);
    setText(small, cell.small ?? "");
  };
  return { node, set };
}

/** What a spreadsheet would run as a formula is quoted, as the package does. */
const guard = (text) => (/^[=+\-@\t\r']/.test(text) && !/^-?[\d.]+(e[-+]?\d+)?$/i.test(text) ? `'${text}` : text);

const csvCell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function csvText(head, rows) {
  const plain = (cell) => (typeof cell === "string" ? cell : cell.value === undefined || cell.value === null ? cell.text : String(cell.value));
  return [head, ...rows].map((row) => row.map((cell) => csvCell(guard(plain(cell)))).join(",")).join("\n") + "\n";
}

function saveBlob(name, blob) {
  const address = URL.createObjectURL(blob);
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

const saveText = (name, text, type) => saveBlob(name, new Blob([text], { type: `${type};charset=utf-8` }));
