// Inline Markdown: a string to a list of nodes. What a model writes is hostile: links go to http and https only, images are not
// loaded, HTML is text. Maths ($…$, \(…\), \[…\]) stays as it was written. Every search that fails is remembered, so that
// thousands of lone marks don't make it quadratic; depth is bounded.
const MAX_INLINE_DEPTH = 8;
const ENTITIES = {amp: "&", lt: "<", gt: ">", quot: '"', nbsp: "\u00a0", "#39": "'"};
const PUNCTUATION = /[!-\/:-@[-`{-~]/;
const BARE_LINK = /https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}*_~]/y;
const isSpace = (c) => c === undefined || /\s/.test(c);
const isWord = (c) => c !== undefined && /[\p{L}\p{N}]/u.test(c);

function renderInline(text, depth = 0) {
  const nodes = [], hopeless = new Set();
  let plain = "", at = 0;
  const flush = () => {
    if (plain) nodes.push(document.createTextNode(plain));
    plain = "";
  };
  const put = (node) => {
    flush();
    nodes.push(node);
  };
  while (at < text.length) {
    const found = depth < MAX_INLINE_DEPTH && SPECIAL.test(text[at]) ? inlineAt(text, at, depth, hopeless) : null;
    if (!found) {
      plain += text[at++];
    } else {
      if (found.text !== undefined) plain += found.text;
      else put(found.node);
      at = found.end;
    }
  }
  flush();
  return nodes;
}

const SPECIAL = /[\\`*_~[!<&$h\n]/;

// What begins at `at`: {node or text, end}, or null when the character is only itself.
function inlineAt(text, at, depth, hopeless) {
  switch (text[at]) {
    case "\n": return {node: h("br"), end: at + 1};
    case "\\": return escaped(text, at, hopeless);
    case "`": return codeSpan(text, at, hopeless);
    case "$": return maths(text, at, hopeless);
    case "*": case "_": return emphasis(text, at, depth, hopeless);
    case "~": return struck(text, at, depth, hopeless);
    case "!": return text[at + 1] === "[" ? link(text, at + 1, depth, hopeless, true) : null;
    case "[": return link(text, at, depth, hopeless, false);
    case "<": return autolink(text, at);
    case "h": return bareLink(text, at);
    case "&": return entity(text, at);
  }
  return null;
}

function search(text, mark, from, hopeless, key = mark) {
  if (hopeless.has(key)) return -1;
  const found = text.indexOf(mark, from);
  if (found < 0) hopeless.add(key);
  return found;
}

function escaped(text, at, hopeless) {
  const next = text[at + 1];
  if (next === "(" || next === "[") {
    const end = search(text, next === "(" ? "\\)" : "\\]", at + 2, hopeless);
    if (end > 0) return {node: h("span", {class: "math"}, text.slice(at, end + 2)), end: end + 2};
    return {text: text.slice(at, at + 2), end: at + 2};
  }
  if (next === "\n") return {node: h("br"), end: at + 2};
  return next !== undefined && PUNCTUATION.test(next) ? {text: next, end: at + 2} : null;
}

function codeSpan(text, at, hopeless) {
  let run = 1;
  while (text[at + run] === "`") ++run;
  const key = "`" + run;
  if (!hopeless.has(key)) {
    for (let from = at + run; from < text.length;) {
      const begin = text.indexOf("`", from);
      if (begin < 0) break;
      let end = begin;
      while (text[end] === "`") ++end;
      if (end - begin === run) {
        let code = text.slice(at + run, begin).replace(/\n/g, " ");
        if (/^ .*[^ ].* $/.test(code)) code = code.slice(1, -1);
        return {node: h("code", null, code), end};
      }
      from = end;
    }
    hopeless.add(key);
  }
  return {text: text.slice(at, at + run), end: at + run};
}

// As Pandoc tells maths from money: no space inside the marks, no digit behind the last.
function maths(text, at, hopeless) {
  const mark = text[at + 1] === "$" ? "$$" : "$";
  const begin = at + mark.length;
  if (mark === "$" && isSpace(text[begin])) return null;
  const end = search(text, mark, begin, hopeless);
  if (end <= begin || (mark === "$" && (isSpace(text[end - 1]) || /\d/.test(text[end + 1] || "")))) return null;
  return {node: h("span", {class: "math"}, text.slice(at, end + mark.length)), end: end + mark.length};
}

function emphasis(text, at, depth, hopeless) {
  const c = text[at];
  let run = 1;
  while (text[at + run] === c) ++run;
  const whole = {text: text.slice(at, at + run), end: at + run};
  if (run > 3 || isSpace(text[at + run]) || (c === "_" && isWord(text[at - 1]))) return whole;
  for (let size = run; size > 0; --size) {
    const end = closing(text, at + size, c, size, hopeless);
    if (end < 0) continue;
    const inner = renderInline(text.slice(at + size, end), depth + 1);
    const node = size === 1 ? h("em", null, inner) : h("strong", null, size === 3 ? h("em", null, inner) : inner);
    return {node, end: end + size};
  }
  return whole;
}

// Where a run of `c` closes emphasis of `size` marks that opened before `from`; code spans are stepped over.
function closing(text, from, c, size, hopeless) {
  const key = c + size;
  if (hopeless.has(key)) return -1;
  for (let at = from; at < text.length; ++at) {
    if (text[at] === "\\") ++at;
    else if (text[at] === "`") at = codeSpan(text, at, hopeless).end - 1;
    else if (text[at] === c) {
      let run = 1;
      while (text[at + run] === c) ++run;
      const fits = run === size || run >= 3 || (size > 1 && run > size);
      const closes = !isSpace(text[at - 1]) && !(c === "_" && isWord(text[at + run]));
      if (fits && closes && run >= size && at > from) return at + run - size;
      at += run - 1;
    }
  }
  hopeless.add(key);
  return -1;
}

function struck(text, at, depth, hopeless) {
  if (text[at + 1] !== "~" || isSpace(text[at + 2])) return null;
  const end = search(text, "~~", at + 2, hopeless);
  return end > at + 2 ? {node: h("del", null, renderInline(text.slice(at + 2, end), depth + 1)), end: end + 2} : null;
}

// An absolute http or https address, or null; what the browser would make of it is what is looked at.
function webAddress(text) {
  try {
    const address = new URL(text.trim());
    return address.protocol === "https:" || address.protocol === "http:" ? address.href : null;
  } catch {
    return null;
  }
}

function anchor(address, children) {
  return h("a", {href: address, target: "_blank", rel: "noopener noreferrer nofollow", title: address}, children);
}

const LINK_TARGET = /\(\s*(?:<([^<>\n]*)>|((?:[^\s()]|\([^\s()]*\))*))(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/y;

function link(text, open, depth, hopeless, image) {
  if (hopeless.has("]")) return null;
  const limit = Math.min(text.length, open + 1000);
  let close = -1;
  for (let at = open + 1, level = 1; at < limit && close < 0; ++at) {
    if (text[at] === "\\") ++at;
    else if (text[at] === "[") ++level;
    else if (text[at] === "]" && --level === 0) close = at;
  }
  if (close < 0) {
    if (text.indexOf("]", open) < 0) hopeless.add("]");
    return null;
  }
  LINK_TARGET.lastIndex = close + 1;
  const target = LINK_TARGET.exec(text);
  if (!target) return null;
  const label = text.slice(open + 1, close);
  const address = webAddress(target[1] ?? target[2]);
  const children = image ? [label || "image"] : renderInline(label, depth + 1);
  const node = address ? anchor(address, children) : h("span", {class: "dead-link", title: "Not a web address"}, children);
  for (const inner of node.querySelectorAll("a")) inner.replaceWith(...inner.childNodes);  // a link in a link is none
  return {node, end: LINK_TARGET.lastIndex};
}

const AUTOLINK = /<(https?:\/\/[^\s<>]+)>/y;

function autolink(text, at) {
  AUTOLINK.lastIndex = at;
  const match = AUTOLINK.exec(text);
  const address = match && webAddress(match[1]);
  return address ? {node: anchor(address, [match[1]]), end: AUTOLINK.lastIndex} : null;
}

function bareLink(text, at) {
  if (isWord(text[at - 1])) return null;
  BARE_LINK.lastIndex = at;
  const match = BARE_LINK.exec(text);
  const address = match && webAddress(match[0]);
  return address ? {node: anchor(address, [match[0]]), end: BARE_LINK.lastIndex} : null;
}

const ENTITY = /&(amp|lt|gt|quot|nbsp|#39);/y;

function entity(text, at) {
  ENTITY.lastIndex = at;
  const match = ENTITY.exec(text);
  return match ? {text: ENTITIES[match[1]], end: ENTITY.lastIndex} : null;
}
