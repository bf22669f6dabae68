// What one JSON schema asks for in several of its keywords at once. xgrammar looks at one of them ($ref, then const,
// enum, anyOf, oneOf, type) and forgets the others. Used by json_schema.cpp.
#pragma once

#include <string>

#include "base/error.h"
#include "base/json.h"

namespace tetrad {

Unexpected refuse_schema(const std::string& place, const std::string& why);

// Puts what stands beside anyOf or oneOf into each of their schemas. Refused: what does not go together, and more than
// `budget` bytes of copies, which are taken from it.
Result<Json> spread_alternatives(const Json& schema, const Json& root, const std::string& place, std::size_t& budget);

// Of a schema without references or alternatives: says the type where keywords speak of one only, lists properties that
// are required only by name, leaves of an enum what fits the type.
Status complete_schema(Json& schema, const std::string& place);

// Refuses a list in which a value could fit two: xgrammar takes "oneOf" for "anyOf".
Status check_one_of(const Json& list, const Json& root, const std::string& place);

}  // namespace tetrad
