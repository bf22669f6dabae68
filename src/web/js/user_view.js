// What the reader wrote, as it was written, and the results given to tool calls (which the calls themselves show).
class UserView {
  // actions: {edit()}
  constructor(message, actions) {
    this.edit = iconButton("edit", "Edit", () => actions.edit());
    this.node = h("li", {class: "own"}, h("h2", {class: "sr-only"}, "You"), h("div", {class: "own-text"}, message.content),
      h("div", {class: "own-buttons"}, copyButton("Copy message", () => message.content), this.edit));
  }

  show(editable) {
    this.edit.hidden = !editable;
  }
}
