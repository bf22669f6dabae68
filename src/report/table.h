// An HTML table for report pages.
#pragma once

#include <string>
#include <vector>

namespace tetrad::report {

struct Column {
  enum class Kind { kText, kNumber, kPath };  // numbers are aligned to the right, paths may break anywhere
  std::string heading;
  Kind kind = Kind::kNumber;
};

// Without any heading there is no head row.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(const std::vector<std::string>& cells);  // plain text, one a column
  std::string html() const;

 private:
  std::vector<Column> columns_;
  std::string rows_;
};

}  // namespace tetrad::report
