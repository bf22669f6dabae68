// A tool call: its name, its arguments as JSON (as they come, until they are whole), and the result if one was given.
const JSON_LANGUAGE = languageOf("json");

const JSON_TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s"[\]{},:]+/g;

// JSON with line breaks. It moves only the space between the tokens: parsing and printing again would round long numbers.
function prettyJson(text) {
  if (!isJson(text)) return text;
  let result = "", depth = 0;
  const tokens = text.match(JSON_TOKEN);
  const lineBreak = () => "\n" + "  ".repeat(Math.min(depth, 40));
  tokens.forEach((token, i) => {
    const opened = i > 0 && "[{".includes(tokens[i - 1]);
    if ("]}".includes(token)) {
      --depth;
      if (!opened) result += lineBreak();
    } else if (opened) {
      result += lineBreak();
    }
    result += token === ":" ? ": " : token;
    if ("[{".includes(token)) ++depth;
    if (token === ",") result += lineBreak();
  });
  return result;
}

function showJson(node, text) {
  node.replaceChildren();
  let state = "";
  for (const line of text.split("\n")) {
    state = highlightLine(node, line, JSON_LANGUAGE, state);
    node.append("\n");
  }
}

class ToolView {
  // onResult(call) asks the reader for the call's result.
  constructor(call, onResult) {
    this.call = call;
    this.name = h("code", {class: "call-name"});
    this.code = h("code");
    this.give = h("button", {type: "button", class: "text-button", onclick: () => onResult(call)}, "Give its result");
    this.result = h("div", {class: "call-result", hidden: true});
    this.node = h("section", {class: "call", "aria-label": "Tool call"},
      h("div", {class: "call-head"}, icon("tool"), h("span", {class: "call-kind"}, "Tool call"), this.name,
        copyButton("Copy arguments", () => prettyJson(call.arguments))),
      h("pre", {tabindex: "0", role: "region", "aria-label": "Arguments"}, this.code), this.result, this.give);
  }

  show(answerable, result) {
    const key = `${this.call.name}\n${this.call.arguments}`;
    if (key !== this.shown) {
      this.name.textContent = this.call.name;
      showJson(this.code, prettyJson(this.call.arguments));
      this.shown = key;
    }
    this.give.hidden = !answerable || result !== undefined;
    this.result.hidden = result === undefined;
    if (result !== undefined)
      this.result.replaceChildren(h("span", {class: "call-kind"}, "Result"), h("pre", {tabindex: "0", role: "region", "aria-label": "Result"}, prettyJson(result)));
  }
}
