// Block Markdown: lines to a list of blocks {type, from, src, ...}; `from` is the first line's number, `src` what tells it from others.
// Whether a block ends depends only on its own lines and those after it, so a stream is parsed from its last block on.
// Containers keep their lines and are taken apart when shown, at most MAX_BLOCK_DEPTH deep. HTML is text.
const MAX_BLOCK_DEPTH = 10;
const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}>/;
const ITEM = /^([ \t]*)([-*+]|\d{1,9}[.)])([ \t]+|$)/;
const TABLE_RULE = /^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const MATHS = /^ {0,3}(\$\$|\\\[)/;
const isBlank = (line) => !/\S/.test(line);
const indentOf = (line) => line.match(/^[ \t]*/)[0].replace(/\t/g, "    ").length;

function parseBlocks(lines, depth) {
  const blocks = [];
  for (let at = 0; at < lines.length;) {
    if (isBlank(lines[at])) {
      ++at;
      continue;
    }
    const block = depth < MAX_BLOCK_DEPTH ? blockAt(lines, at) : paragraph(lines, at, lines.length);
    block.from = at;
    block.src = lines.slice(at, block.to).join("\n");
    blocks.push(block);
    at = block.to;
  }
  return blocks;
}

function blockAt(lines, at) {
  const line = lines[at];
  const fence = FENCE.exec(line);
  if (fence) return fenced(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading)
    return {type: "heading", level: heading[1].length, text: (heading[2] || "").replace(/[ \t]+#+[ \t]*$/, "").trim(), to: at + 1};
  if (RULE.test(line)) return {type: "rule", to: at + 1};
  if (QUOTE.test(line)) return quote(lines, at);
  const item = ITEM.exec(line);
  if (item) return list(lines, at, item);
  if (startsTable(lines, at)) return table(lines, at);
  const maths = MATHS.exec(line);
  if (maths) return mathsBlock(lines, at, maths[1]);
  return paragraph(lines, at, endOfParagraph(lines, at));
}

function fenced(lines, at, match) {
  const [, indent, mark, info] = match;
  const closes = new RegExp(`^ {0,3}\\${mark[0]}{${mark.length},}[ \\t]*$`);
  const strip = new RegExp(`^ {0,${indent.length}}`);
  let to = at + 1;
  while (to < lines.length && !closes.test(lines[to])) ++to;
  const code = lines.slice(at + 1, to).map((line) => line.replace(strip, "")).join("\n");
  return {type: "code", language: info.trim().split(/[\s{,]/)[0].slice(0, 40), code, to: Math.min(to + 1, lines.length)};
}

function quote(lines, at) {
  let to = at + 1;
  while (to < lines.length && (QUOTE.test(lines[to]) || (!isBlank(lines[to]) && !interrupts(lines, to)))) ++to;
  return {type: "quote", lines: lines.slice(at, to).map((line) => line.replace(/^ {0,3}> ?/, "")), to};
}

const kindOf = (marker) => (/\d/.test(marker) ? "1" + marker.slice(-1) : marker);

// Nested lists are often written two columns in, also below "1. ", where three would be right.
function list(lines, at, first) {
  const base = indentOf(lines[at]), kind = kindOf(first[2]);
  const items = [];
  let loose = false, to = at, width = 0;
  while (to < lines.length) {
    const line = lines[to], indent = indentOf(line), item = ITEM.exec(line);
    if (isBlank(line)) {
      let next = to;
      while (next < lines.length && isBlank(lines[next])) ++next;
      if (next === lines.length) break;
      const sibling = ITEM.exec(lines[next]);
      const inside = indentOf(lines[next]) >= base + 2;
      if (!inside && !(sibling && kindOf(sibling[2]) === kind && !RULE.test(lines[next]))) break;
      if (!inside) loose = true;
      for (; to < next; ++to) items[items.length - 1].push("");
    } else if (item && kindOf(item[2]) === kind && indent < base + 2 && !RULE.test(line)) {
      const gap = item[3].length > 4 ? 1 : item[3].length;
      width = indent + item[2].length + Math.max(gap, 1);
      items.push([line.slice(item[1].length + item[2].length + gap)]);
      ++to;
    } else if (items.length > 0 && indent >= base + 2) {
      items[items.length - 1].push(line.replace(/\t/g, "    ").slice(Math.min(indent, width)));
      ++to;
    } else if (items.length > 0 && !isBlank(lines[to - 1]) && !interrupts(lines, to) && !item) {
      items[items.length - 1].push(line);
      ++to;
    } else {
      break;
    }
  }
  return {type: "list", ordered: kind[0] === "1", start: parseInt(first[2], 10), loose, items, to};
}

function cells(line) {
  const found = [];
  let cell = "", code = false;
  const row = line.trim().replace(/^\|/, "");
  for (let at = 0; at < row.length; ++at) {
    if (row[at] === "\\" && row[at + 1] === "|") cell += row[++at];
    else if (row[at] === "|" && !code) {
      found.push(cell.trim());
      cell = "";
    } else {
      if (row[at] === "`") code = !code && row.indexOf("`", at + 1) > 0;
      cell += row[at];
    }
  }
  if (cell.trim() || !row.endsWith("|")) found.push(cell.trim());
  return found;
}

function startsTable(lines, at) {
  if (at + 1 >= lines.length || !lines[at].includes("|") || !lines[at + 1].includes("-") || !TABLE_RULE.test(lines[at + 1])) return false;
  return cells(lines[at]).length === cells(lines[at + 1]).length;
}

function table(lines, at) {
  let to = at + 2;
  while (to < lines.length && lines[to].includes("|") && !QUOTE.test(lines[to])) ++to;
  const align = cells(lines[at + 1]).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : ""));
  return {type: "table", align, head: lines[at], rows: lines.slice(at + 2, to), to};
}

// From $$ or \[ to its end; until that has come, to the next blank line.
function mathsBlock(lines, at, mark) {
  const end = mark === "$$" ? "$$" : "\\]";
  const first = lines[at].indexOf(mark) + 2;
  for (let to = at; to < lines.length && !isBlank(lines[to]); ++to) {
    const found = lines[to].indexOf(end, to === at ? first : 0);
    if (found >= 0 && isBlank(lines[to].slice(found + 2).replace(/[.,;]/g, ""))) return {type: "maths", text: lines.slice(at, to + 1).join("\n"), to: to + 1};
    if (found >= 0) break;
  }
  return paragraph(lines, at, endOfParagraph(lines, at));
}

// Whether a line ends the paragraph above it. A number other than 1 doesn't: sentences may begin with a year.
function interrupts(lines, at) {
  const line = lines[at];
  const item = ITEM.exec(line);
  if (item && line.length > item[0].length && (!/\d/.test(item[2]) || parseInt(item[2], 10) === 1)) return true;
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || startsTable(lines, at);
}

function endOfParagraph(lines, at) {
  let to = at + 1;
  while (to < lines.length && !isBlank(lines[to]) && !interrupts(lines, to)) ++to;
  return to;
}

function paragraph(lines, at, to) {
  return {type: "paragraph", text: lines.slice(at, to).join("\n").trim(), to};
}
