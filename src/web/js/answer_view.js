// One answer: the thought, the text, the tool calls, what went wrong, and what it took. It shows a message
// {content, reasoning, calls, finish, error, stopped, usage, timing} that grows while the answer streams.
class ThoughtView {
  constructor() {
    this.label = h("span");
    this.text = h("div", {class: "thought-text", tabindex: "0", role: "region", "aria-label": "Thought"});
    const summary = h("summary", {onclick: () => (this.touched = true)}, icon("chevron"), this.label);
    this.node = h("details", {class: "thought"}, summary, this.text);
    this.shown = 0;
    this.line = null;
  }

  // A line is a paragraph of its own, so that the browser lays out only the last one again.
  show(message, thinking) {
    const text = message.reasoning.trimStart();
    const atEnd = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 24;
    text.slice(this.shown).split("\n").forEach((part, i) => {
      if (i > 0 || !this.line) {
        this.line = document.createTextNode("");
        this.text.append(h("p", null, this.line));
      }
      this.line.appendData(part);
    });
    this.shown = text.length;
    const spent = thinking ? performance.now() - message.timing.start : message.timing.thought;
    this.node.classList.toggle("live", thinking);
    this.label.textContent = thinking ? `Thinking, ${wholeSeconds(spent)}` : spent ? `Thought for ${seconds(spent)}` : "Thought";
    if (!this.touched) this.node.open = thinking || (!message.content && message.calls.length === 0);
    if (thinking && atEnd && this.node.open) this.text.scrollTop = this.text.scrollHeight;
  }
}

const rate = (value) => (value < 100 ? value.toFixed(1) : grouped.format(Math.round(value)));

function usageParts(message) {
  const {usage, timing} = message;
  if (!usage) return [];
  const parts = [count(usage.completion, "token")];
  const took = timing.last - timing.first;
  if (usage.completion > 1 && took > 0) parts.push(`${rate((usage.completion - 1) / took * 1000)} tokens/s`);
  if (timing.first > timing.start) parts.push(`first after ${duration(timing.first - timing.start)}`);
  parts.push(`prompt ${grouped.format(usage.prompt)}${usage.cached ? `, ${grouped.format(usage.cached)} cached` : ""}`);
  return parts;
}

const ENDINGS = {
  length: "The answer stops here because it reached its token limit.",
  content_filter: "The server filtered the rest of the answer.",
  abort: "The server ended this answer early.",
};

class AnswerView {
  // actions: {retry(), giveResult(call)}
  constructor(message, actions) {
    this.message = message;
    this.actions = actions;
    this.text = new MarkdownView();
    this.thought = null;
    this.tools = [];
    this.pending = h("p", {class: "pending", "aria-label": "Waiting for the answer"}, h("i"), h("i"), h("i"));
    this.body = h("div", {class: "answer-body", "aria-live": "polite"}, this.text.node);
    this.calls = h("div", {class: "calls", "aria-live": "polite"});
    this.note = h("p", {class: "note", hidden: true});
    this.error = h("div", {class: "error", role: "alert", hidden: true});
    this.again = h("button", {type: "button", class: "text-button", onclick: () => actions.retry()}, "Try again");
    this.stats = h("p", {class: "stats"});
    this.retry = iconButton("retry", "Retry", () => actions.retry());
    this.copy = copyButton("Copy answer", () => message.content);
    this.foot = h("div", {class: "foot"}, h("div", {class: "foot-buttons"}, this.copy, this.retry), this.stats);
    this.node = h("li", {class: "answer"}, h("h2", {class: "sr-only"}, "Answer"), this.pending, this.body, this.calls, this.note, this.error, this.foot);
  }

  // live: it streams; last: it is the conversation's last answer; results: call id -> text of the results given
  show(live, last, results) {
    const message = this.message;
    if (message.reasoning.trim() && !this.thought) {
      this.thought = new ThoughtView();
      this.body.before(this.thought.node);
    }
    const thinking = live && !message.content.trim() && message.calls.length === 0;
    if (this.thought) this.thought.show(message, thinking);
    this.text.show(message.content);
    for (const call of message.calls.slice(this.tools.length)) {
      const view = new ToolView(call, (asked) => this.actions.giveResult(asked));
      this.tools.push(view);
      this.calls.append(view.node);
    }
    for (const tool of this.tools) tool.show(!live && last, results.get(tool.call.id));
    const empty = !message.content && !message.reasoning && message.calls.length === 0;
    this.pending.hidden = !(live && empty);
    this.body.setAttribute("aria-busy", String(live));
    this.showEnd(live, last, empty);
    this.foot.hidden = live && empty;
    this.foot.classList.toggle("live", live);
    this.copy.hidden = !message.content;
    this.retry.hidden = live || !last;
    const stats = usageParts(message).join(" · ");
    if (this.stats.textContent !== stats) this.stats.textContent = stats;
  }

  showEnd(live, last, empty) {
    const message = this.message;
    let note = live ? "" : message.stopped ? "Stopped." : ENDINGS[message.finish] || "";
    if (!live && !note && !message.error && empty) note = "The answer is empty.";
    this.note.textContent = note;
    this.note.hidden = !note;
    const error = live ? "" : message.error || "";
    this.again.hidden = !last;
    if (this.error.dataset.shown === error) return;
    this.error.dataset.shown = error;
    this.error.hidden = !error;
    this.error.replaceChildren(h("p", null, error), this.again);
  }
}
