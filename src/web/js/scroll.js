// Follows the answer to its end, until the reader scrolls up; at the end again, or with the button, it follows again.
class Follower {
  constructor(scroller, jump) {
    this.scroller = scroller;
    this.jump = jump;
    this.following = true;
    this.last = 0;
    scroller.addEventListener("scroll", () => this.scrolled(), {passive: true});
    jump.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.follow()).observe(scroller);  // the text box grew, or the key form came
  }

  distance() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
  }

  scrolled() {
    const top = this.scroller.scrollTop, distance = this.distance();
    if (distance < 24) this.following = true;
    else if (top < this.last - 1) this.following = false;
    this.last = top;
    this.jump.hidden = distance < 120;
  }

  // To be called after the content has changed.
  follow() {
    if (!this.following) {
      this.jump.hidden = this.distance() < 120;
      return;
    }
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.last = this.scroller.scrollTop;
    this.jump.hidden = true;
  }

  toEnd() {
    this.following = true;
    this.follow();
  }
}
