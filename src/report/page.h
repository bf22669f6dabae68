// A self-contained HTML page: no scripts, nothing loaded from elsewhere, light and dark by the reader's setting,
// readable from 360 px up. Used by eval/ and conversion/ for `--html`. Knows nothing of models.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tetrad::report {

// Text for HTML content and attributes: & < > " ' and control characters escaped; ill-formed UTF-8 becomes U+FFFD.
std::string escape(std::string_view text);

// HTML behind a line that opens it.
std::string folded(std::string_view summary, std::string_view body);

struct Card {
  std::string label, value, note;  // plain text; the note may be empty
};

enum class Width { kHalf, kFull };

class Page {
 public:
  Page(std::string_view title, std::string_view subtitle);  // plain text

  void cards(const std::vector<Card>& cards, std::string_view heading = {});
  void warnings(const std::vector<std::string>& lines);  // a box; nothing when there are none
  // `body` is HTML of table.h or chart.h, `explanation` plain text: what one sees, and what would be bad.
  void section(std::string_view heading, std::string_view explanation, std::string_view body, Width width);

  std::string html() const;

 private:
  std::string title_, content_, sections_;
};

}  // namespace tetrad::report
