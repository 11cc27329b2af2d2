// A chart is a figure: what to conclude, the drawing, its table, and ways to keep it. Drawn by D3; colours of one hue,
// told apart by lightness, and every mark with its number, so that nothing rests on colour alone.
const INK = "#1f2933", MUTED = "#52606d", GRID = "#d9dfe6", BLUE = "#1d4f91", MID = "#8fb3dd", PALE = "#dbe3ec", AMBER = "#8a4b08";
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

/** As D3's `attr` and `text`, but only what changed is set: what did not change costs nothing to draw. */
d3.selection.prototype.put = function (name, value) {
  return this.each(function (datum, i, group) {
    const now = typeof value === "function" ? value.call(this, datum, i, group) : value;
    this.held ??= {};
    if (this.held[name] === now) return;
    this.held[name] = now;
    if (now === null) this.removeAttribute(name);
    else this.setAttribute(name, now);
  });
};
d3.selection.prototype.say = function (value) {
  return this.each(function (datum, i, group) { setText(this, String(typeof value === "function" ? value.call(this, datum, i, group) : value)); });
};

const shadeOf = d3.interpolateRgb("#ffffff", BLUE);
const shades = Array.from({ length: 101 }, (_, i) => shadeOf(i / 100));
const shade = (p) => shades[Math.round(100 * Math.min(Math.max(p || 0, 0), 1))];
const inkOn = (p) => (p > 0.55 ? "#ffffff" : INK);

/**
 * A figure with its table. `draw(svg, width)` returns the height; `rows()` the table's; `conclude()` the caption.
 * All three are called whenever something changed.
 */
function makeChart(id, title, { draw, rows, conclude, head, tableCaption, nLeft = 1, open = false }) {
  const caption = el("figcaption", { id: `${id}-caption` });
  const svg = d3.create("svg").put("role", "img").put("aria-labelledby", `${id}-caption`).put("id", `${id}-chart`)
    .put("font-family", FONT).put("font-size", 13);
  const table = makeTable(tableCaption, head(), nLeft);
  const details = el("details", { open }, el("summary", {}, t("table")), table.node);
  const button = (kind, listener) =>
    el("button", { type: "button", class: "quiet", "aria-label": `${t("save")} ${title}: ${kind}`, onclick: listener }, kind);
  const tools = el("p", { class: "tools" }, `${t("save")} `, button("SVG", () => saveSvg(id, title, svg.node())),
    button("PNG", () => savePng(id, title, svg.node())), button("CSV", () => saveText(`${id}.csv`, csvText(table.head, table.rows), "text/csv")));
  const node = el("figure", { id }, caption, el("div", { class: "chart" }, svg.node()), tools, details);
  onUpdate(() => {
    setText(caption, conclude());
    const width = app.width, height = draw(svg, width);
    svg.put("viewBox", `0 0 ${width} ${height}`).put("width", width).put("height", height);
    table.update(rows(), head());
  });
  return node;
}

function svgText(title, svg) {
  const copy = svg.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const name = document.createElementNS(copy.namespaceURI, "title");
  name.textContent = title;
  const paper = document.createElementNS(copy.namespaceURI, "rect");
  for (const [key, value] of [["width", "100%"], ["height", "100%"], ["fill", "#ffffff"]]) paper.setAttribute(key, value);
  copy.prepend(name, paper);
  copy.removeAttribute("aria-labelledby");
  return new XMLSerializer().serializeToString(copy);
}

const saveSvg = (id, title, svg) => saveText(`${id}.svg`, svgText(title, svg), "image/svg+xml");

function savePng(id, title, svg) {
  const scale = 3, picture = new Image();
  picture.onload = () => {
    const canvas = document.createElement("canvas");
    canvas.width = scale * Number(svg.getAttribute("width"));
    canvas.height = scale * Number(svg.getAttribute("height"));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => saveBlob(`${id}.png`, blob), "image/png");
  };
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(title, svg))}`;
}

/** Text cut to a width, the whole of it in a tooltip. */
function fitText(selection, text, width) {
  const most = Math.max(4, Math.floor(width / 7.2));
  selection.each(function (datum, i) {
    const whole = typeof text === "function" ? text(datum, i) : text;
    const cut = whole.length > most ? `${whole.slice(0, most - 1)}…` : whole;
    if (this.firstChild?.nodeValue === cut && this.lastChild?.textContent === whole) return;
    this.replaceChildren(document.createTextNode(cut), d3.create("svg:title").say(whole).node());
  });
}

const nameWidth = (width) => Math.min(190, Math.max(96, width * 0.28));

/** Rows by columns of probabilities or shares: darker is more. `values[i][j]` may be null. */
function drawHeatMap(svg, width, { names, columns, values, write, columnsTitle, slanted = false }) {
  const left = nameWidth(width), top = slanted ? 118 : 46, height = 30;
  const cell = (width - left - (slanted ? 40 : 0)) / Math.max(columns.length, 1);
  const small = cell < 40 ? 10 : 13;
  part(svg, "title", columnsTitle ? [columnsTitle] : [], "text").put("x", left).put("y", 13).put("fill", MUTED).put("font-size", 12).say((d) => d);
  part(svg, "columns", columns, "text").put("fill", MUTED).put("font-size", slanted ? 11 : small)
    .put("text-anchor", slanted ? "start" : "middle")
    .put("transform", (_, j) => `translate(${left + (j + 0.5) * cell},${top - 8})${slanted ? " rotate(-40)" : ""}`)
    .say((d) => d);
  const labels = part(svg, "names", names, "text").put("x", left - 8).put("y", (_, i) => top + (i + 0.5) * height)
    .put("dy", "0.35em").put("text-anchor", "end").put("fill", INK);
  fitText(labels, (d) => d, left - 8);
  const cells = values.flatMap((row, i) => row.map((value, j) => ({ value, i, j })));
  part(svg, "cells", cells, "rect").put("x", (d) => left + d.j * cell + 1).put("y", (d) => top + d.i * height + 1)
    .put("width", Math.max(cell - 2, 1)).put("height", height - 2).put("fill", (d) => (d.value === null ? "#ffffff" : shade(d.value)))
    .put("stroke", GRID).put("stroke-width", 0.5);
  // Where there is no room for numbers, the table holds them.
  part(svg, "numbers", cell < 27 ? [] : cells, "text").put("x", (d) => left + (d.j + 0.5) * cell).put("y", (d) => top + (d.i + 0.5) * height)
    .put("dy", "0.35em").put("text-anchor", "middle").put("font-size", small).put("fill", (d) => inkOn(d.value))
    .say((d) => (d.value === null ? MISSING : write(d.value)));
  return top + names.length * height + 4;
}

/** The marks of one layer, as many as there are data, updated in place. */
function part(svg, name, data, tag) {
  let layer = svg.select(`g.${name}`);
  if (layer.empty()) layer = svg.append("g").put("class", name);
  return layer.selectAll(tag).data(data).join(tag);
}

function drawAxis(svg, name, scale, y, ticks, format) {
  let layer = svg.select(`g.${name}`);
  if (layer.empty()) layer = svg.append("g").put("class", name);
  layer.put("transform", `translate(0,${y})`).call(d3.axisBottom(scale).ticks(ticks).tickFormat(format).tickSizeOuter(0));
  layer.put("font-family", FONT).put("font-size", 11).put("color", MUTED);
}

/**
 * A row for each name: an interval, its middle, its numbers; `ghosts` are drawn thin below (what was published).
 * `line` is a place to compare with.
 */
function drawIntervals(svg, width, { rows, scale, ghosts = [], line = null, lineText = "", axis }) {
  const height = 44, top = line === null ? 8 : 26, bottom = top + rows.length * height, left = 14, right = width - 20;
  const at = (i) => top + i * height;
  scale.range([left, right]);
  part(svg, "tracks", rows, "line").put("x1", left).put("x2", right).put("y1", (_, i) => at(i) + 28).put("y2", (_, i) => at(i) + 28).put("stroke", GRID);
  // The line breaks off where numbers stand.
  part(svg, "line", line === null ? [] : [line], "path").put("d", (d) => `M${scale(d)} ${top}${rows.map(() => "m0 20v20m0 4").join("")}`)
    .put("stroke", INK).put("stroke-width", 1.5).put("stroke-dasharray", "5 3");
  const names = part(svg, "names", rows, "text").put("x", 0).put("y", (_, i) => at(i) + 14).put("fill", INK)
    .put("font-weight", (d) => (d.bold ? 700 : 400));
  fitText(names, (d) => d.name, width * 0.5);
  part(svg, "numbers", rows, "text").put("x", width).put("y", (_, i) => at(i) + 14).put("text-anchor", "end").put("fill", INK)
    .put("stroke", "#ffffff").put("stroke-width", 4).put("paint-order", "stroke")
    .put("font-weight", (d) => (d.bold ? 700 : 400)).say((d) => d.text);
  part(svg, "ghosts", ghosts, "line").put("x1", (d) => scale(d.low)).put("x2", (d) => scale(d.high))
    .put("y1", (d) => at(d.i) + 35).put("y2", (d) => at(d.i) + 35).put("stroke", AMBER).put("stroke-width", 2).put("stroke-dasharray", "4 2");
  part(svg, "ghost-middles", ghosts, "path").put("transform", (d) => `translate(${scale(d.middle)},${at(d.i) + 35})`)
    .put("d", "M0 -4L4 0L0 4L-4 0Z").put("fill", AMBER);
  part(svg, "intervals", rows, "line").put("x1", (d) => scale(d.low)).put("x2", (d) => scale(d.high))
    .put("y1", (_, i) => at(i) + 28).put("y2", (_, i) => at(i) + 28).put("stroke", (d) => (d.bold ? BLUE : MID)).put("stroke-width", 6);
  part(svg, "middles", rows, "circle").put("cx", (d) => scale(d.middle)).put("cy", (_, i) => at(i) + 28).put("r", 5)
    .put("fill", (d) => (d.bold ? BLUE : MUTED));
  part(svg, "line-text", line === null ? [] : [line], "text").put("x", (d) => scale(d)).put("y", 12).put("text-anchor", "end")
    .put("fill", INK).put("font-size", 12).say(lineText);
  drawAxis(svg, "axis", scale, bottom, axis.ticks ?? 5, axis.format);
  const tail = axis.title ? 46 : 28;
  part(svg, "axis-title", axis.title ? [axis.title] : [], "text").put("x", width / 2).put("y", bottom + 40).put("text-anchor", "middle")
    .put("fill", MUTED).put("font-size", 12).say((d) => d);
  return bottom + tail;
}
