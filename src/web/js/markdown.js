// Markdown on the page while it grows: what is shown is compared with what should be, block by block, and only what differs is
// made anew. In a stream that is the end of the last block, whatever the answer's length.
class MarkdownView {
  constructor() {
    this.node = h("div", {class: "markdown"});
    this.views = [];    // one for each block shown
    this.final = 0;     // how many of them can't change any more
    this.finalEnd = 0;  // where the first that can change begins in the text
  }

  show(text) {
    const lines = text.slice(this.finalEnd).split("\n");
    const blocks = parseBlocks(lines, 0);
    sync(this.node, this.views, blocks, this.final, 0);
    const last = blocks[blocks.length - 1];
    // What a block is shows in its first two lines; before they are whole it may still join the one above.
    if (blocks.length < 2 || last.from >= lines.length - 2) return;
    this.final += blocks.length - 1;
    for (let i = 0; i < last.from; ++i) this.finalEnd += lines[i].length + 1;
  }
}

// Makes the views from number `from` on show the blocks. A view is {type, src, node, update(block) -> whether it could}.
function sync(parent, views, blocks, from, depth) {
  blocks.forEach((block, i) => {
    const view = views[from + i];
    if (view && view.type === block.type && (view.src === block.src || view.update(block))) {
      view.src = block.src;
      return;
    }
    const fresh = VIEWS[block.type](block, depth);
    fresh.type = block.type;
    fresh.src = block.src;
    if (view) view.node.replaceWith(fresh.node);
    else parent.append(fresh.node);
    views[from + i] = fresh;
  });
  for (const view of views.splice(from + blocks.length)) view.node.remove();
}

const VIEWS = {
  paragraph: (block) => textView("p", block, null),
  heading: (block) => textView("h" + Math.min(6, block.level + 2), block, {class: "level-" + block.level}),
  maths: (block) => ({node: h("p", {class: "math"}, block.text), update: () => false}),
  rule: () => ({node: h("hr"), update: () => true}),
  quote: quoteView,
  list: listView,
  table: tableView,
  code: codeView,
};

function textView(tag, block, attributes) {
  const node = h(tag, attributes, renderInline(block.text));
  const level = block.level;
  const update = (next) => {
    if (next.level !== level) return false;
    node.replaceChildren(...renderInline(next.text));
    return true;
  };
  return {node, update};
}

function quoteView(block, depth) {
  const node = h("blockquote"), views = [];
  const update = (next) => {
    sync(node, views, parseBlocks(next.lines, depth + 1), 0, depth + 1);
    return true;
  };
  update(block);
  return {node, update};
}

const TASK = /^\[([ xX])\][ \t]+/;

function itemView(block, depth) {
  const node = h("li"), views = [];
  const update = (next) => {
    const lines = next.lines.slice();
    const task = TASK.exec(lines[0]);
    if (task) lines[0] = (task[1] === " " ? "\u2610 " : "\u2611 ") + lines[0].slice(task[0].length);
    node.classList.toggle("task", task !== null);
    sync(node, views, parseBlocks(lines, depth + 1), 0, depth + 1);
    return true;
  };
  update(block);
  return {node, update};
}

function listView(block, depth) {
  const node = h(block.ordered ? "ol" : "ul", {start: block.ordered && block.start !== 1 ? block.start : null});
  const {ordered, start} = block, views = [];
  const update = (next) => {
    if (next.ordered !== ordered || (ordered && next.start !== start)) return false;
    node.classList.toggle("loose", next.loose);
    const items = next.items.map((lines) => ({type: "item", lines, src: lines.join("\n").trimEnd()}));
    sync(node, views, items, 0, depth);
    return true;
  };
  update(block);
  return {node, update};
}
VIEWS.item = itemView;

function rowView(block) {
  const shown = cells(block.src);
  const row = block.align.map((align, i) => h("td", {class: align || null}, renderInline(shown[i] || "")));
  return {node: h("tr", null, row), update: () => false};
}
VIEWS.row = rowView;

function tableView(block) {
  const head = cells(block.head).map((cell, i) => h("th", {class: block.align[i] || null, scope: "col"}, renderInline(cell)));
  const body = h("tbody"), views = [], first = block.head, align = block.align.join();
  const node = h("div", {class: "table", tabindex: "0", role: "region", "aria-label": "Table"},
    h("table", null, h("thead", null, h("tr", null, head)), body));
  const update = (next) => {
    if (next.head !== first || next.align.join() !== align) return false;
    sync(body, views, next.rows.map((src) => ({type: "row", src, align: next.align})), 0, 0);
    return true;
  };
  update(block);
  return {node, update};
}

// Lines are coloured once and stay; only the last two are made anew, since a closing fence that comes in parts looks like code at
// first. Lines stand in groups: the browser lays out a group again when it changes, not all the code.
const GROUP_LINES = 32;

function codeView(block) {
  const language = languageOf(block.language), name = block.language;
  const code = h("code"), tail = h("span");
  let group = h("span", {class: "lines"}, tail), inGroup = 0;
  code.append(group);
  let shown = "", done = 0, state = "";  // `done` characters are in lines that stay
  const addLine = (line) => {
    const fresh = document.createDocumentFragment();
    state = highlightLine(fresh, line, language, state);
    fresh.append("\n");
    tail.before(fresh);
    if (++inGroup < GROUP_LINES) return;
    group = h("span", {class: "lines"}, tail);
    code.append(group);
    inGroup = 0;
  };
  const showTail = (text) => {
    tail.replaceChildren();
    let open = state;
    text.split("\n").forEach((line, i) => {
      if (i > 0) tail.append("\n");
      open = highlightLine(tail, line, language, open);
    });
  };
  const update = (next) => {
    if (next.language !== name || !next.code.startsWith(shown.slice(0, done))) return false;
    shown = next.code;
    const last = shown.lastIndexOf("\n");
    for (let end = shown.indexOf("\n", done); end >= 0 && end < last; end = shown.indexOf("\n", done)) {
      addLine(shown.slice(done, end));
      done = end + 1;
    }
    showTail(shown.slice(done));
    return true;
  };
  update(block);
  const head = h("div", {class: "code-head"}, h("span", {class: "code-name"}, name || "text"), copyButton("Copy code", () => shown));
  const pre = h("pre", {tabindex: "0", role: "region", "aria-label": name ? `Code, ${name}` : "Code"}, code);
  return {node: h("div", {class: "code"}, head, pre), update};
}
