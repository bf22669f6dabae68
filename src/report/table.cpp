#include "report/table.h"

#include <fmt/format.h>

#include "base/check.h"
#include "report/page.h"

namespace tetrad::report {
namespace {

std::string cell(const char* tag, Column::Kind kind, const std::string& text) {
  const char* style = kind == Column::Kind::kNumber ? " class=\"n\""
                      : kind == Column::Kind::kPath ? " class=\"path\""
                                                    : "";
  return fmt::format("<{0}{1}>{2}</{0}>", tag, style, escape(text));
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
