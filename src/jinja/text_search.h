// Finding text in text in linear time: std::string::find takes the product of both lengths for input made to be slow.
#pragma once

#include <cstddef>
#include <string_view>

namespace tetrad::jinja {

// As std::string_view::find and rfind.
std::size_t find_text(std::string_view text, std::string_view wanted, std::size_t from = 0);
std::size_t rfind_text(std::string_view text, std::string_view wanted);

}  // namespace tetrad::jinja
