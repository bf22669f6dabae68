// /tokenize, /detokenize, /apply_template: what the model sees of a text.
#include <nlohmann/json.hpp>

#include "api/chat_prompt.h"
#include "api/reply.h"
#include "api/routes.h"

namespace tetrad {
namespace {

Json token_texts(const Context& context, const std::vector<std::int32_t>& ids) {
  Json texts = Json::array();
  for (const std::int32_t id : ids) texts.push_back(context.tokenizer.token_bytes(id));
  return texts;
}

ApiResult<std::vector<std::int32_t>> encode_one(const Json& text, const Context& context, bool special,
                                                const char* field) {
  if (!text.is_string()) return bad_field(field, "must be a text or a list of texts");
  return context.tokenizer.encode(text.get_ref<const std::string&>(), special);
}

}  // namespace

OpenResult open_tokenize(Context& context, const HttpRequest&, const Json& body) {
  const Fields fields(body);
  const Generator* const generator = context.generator;
  Json answer = {{"max_model_len", generator != nullptr ? Json(generator->context_length()) : Json()}};
  const bool texts = TETRAD_API_TRY(fields.boolean("return_token_strs", false));
  if (fields.find("messages") != nullptr) {
    const ChatPrompt prompt = TETRAD_API_TRY(read_chat_prompt(body, context));
    answer["count"] = prompt.ids.size();
    answer["tokens"] = prompt.ids;
    if (texts) answer["token_strs"] = token_texts(context, prompt.ids);
    return reply(answer);
  }
  const char* const field =
      fields.find("prompt") == nullptr && fields.find("content") != nullptr ? "content" : "prompt";
  const Json* text = fields.find(field);
  if (text == nullptr) return bad_field("prompt", "is missing; it may also be 'content' or 'messages'");
  const bool special = TETRAD_API_TRY(fields.boolean("add_special_tokens", true));
  if (!text->is_array()) {
    const auto ids = TETRAD_API_TRY(encode_one(*text, context, special, field));
    answer["count"] = ids.size();
    answer["tokens"] = ids;
    if (texts) answer["token_strs"] = token_texts(context, ids);
    return reply(answer);
  }
  answer["count"] = answer["tokens"] = Json::array();
  for (const Json& one : *text) {
    const auto ids = TETRAD_API_TRY(encode_one(one, context, special, field));
    answer["count"].push_back(ids.size());
    answer["tokens"].push_back(ids);
  }
  return reply(answer);
}

OpenResult open_detokenize(Context& context, const HttpRequest&, const Json& body) {
  const Fields fields(body);
  const bool skip = TETRAD_API_TRY(fields.boolean("skip_special_tokens", true));
  const Json* tokens = TETRAD_API_TRY(fields.array("tokens"));
  if (tokens == nullptr) return bad_field("tokens", "is missing");
  Json text;
  if (!tokens->empty() && tokens->front().is_array()) {
    text = Json::array();
    for (const Json& list : *tokens) {
      const Json one = {{"tokens", list}};
      text.push_back(context.tokenizer.decode(TETRAD_API_TRY(Fields(one).ids("tokens", context.options.vocab)), skip));
    }
  } else {
    text = context.tokenizer.decode(TETRAD_API_TRY(fields.ids("tokens", context.options.vocab)), skip);
  }
  return reply({{"prompt", text}, {"text", text}, {"content", text}});  // vLLM's name, SGLang's and llama.cpp's
}

OpenResult open_apply_template(Context& context, const HttpRequest&, const Json& body) {
  const auto prompt = TETRAD_API_TRY(read_chat_prompt(body, context));
  return reply({{"prompt", prompt.text}});
}

}  // namespace tetrad
