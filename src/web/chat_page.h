// The chat page that `tetrad serve` shows at /: one HTML document without anything to load from elsewhere. The build
// puts it together from chat.html, css/ and js/ (assemble.cmake) and leaves a copy in BUILD/web/chat_page.html for the
// tests. It asks /v1/models and streams from /v1/chat/completions of the server it came from. It works under
//   default-src 'none'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline';
//   base-uri 'none'; form-action 'none'; frame-ancestors 'none'
#pragma once

#include <string_view>

namespace tetrad {

std::string_view chat_page();  // UTF-8, lives as long as the program

}  // namespace tetrad
