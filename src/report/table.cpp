#include "report/table.h"

#include <fmt/format.h>

#include "base/check.h"
#include "report/page.h"

namespace tetrad::report {
namespace {

// Paths may break behind any slash, and elsewhere where that doesn't suffice.
std::string breakable(const std::string& escaped) {
  std::string out;
  for (const char c : escaped) {
    out += c;
    if (c == '/') out += "<wbr>";
  }
  return out;
}

std::string cell(const char* tag, Column::Kind kind, const std::string& text) {
  switch (kind) {
    case Column::Kind::kNumber:
      return fmt::format("<{0} class=\"n\">{1}</{0}>", tag, escape(text));
    case Column::Kind::kPath:
      return fmt::format("<{0} class=\"path\">{1}</{0}>", tag, breakable(escape(text)));
    case Column::Kind::kText:
      break;
  }
  return fmt::format("<{0}>{1}</{0}>", tag, escape(text));
}

}  // namespace

void Table::row(const std::vector<std::string>& cells) {
  TETRAD_CHECK(cells.size() == columns_.size());
  rows_ += "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) rows_ += cell("td", columns_[i].kind, cells[i]);
  rows_ += "</tr>\n";
}

std::string Table::html() const {
  std::string head;
  bool headed = false;
  for (const Column& column : columns_) {
    head += cell("th", column.kind, column.heading);
    headed = headed || !column.heading.empty();
  }
  if (headed) head = "<thead><tr>" + head + "</tr></thead>";
  return fmt::format("<div class=\"scroll\"><table>{}<tbody>\n{}</tbody></table></div>\n", headed ? head : "", rows_);
}

}  // namespace tetrad::report
