#include "api/service.h"

#include <gmock/gmock.h>

#include "api/api_fixture.h"

namespace tetrad {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ServiceTest : public ApiTest {};

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> names;
  for (const auto& item : object.items()) names.push_back(item.key());
  return names;
}

TEST_F(ServiceTest, ErrorsHaveTheShapeOfTheirApi) {
  const auto openai = get("/v1/nothing");
  EXPECT_EQ(openai.head.status, 404);
  EXPECT_EQ(openai.header("Content-Type"), "application/json");
  EXPECT_THAT(keys(openai.json()), ElementsAre("error"));
  EXPECT_THAT(keys(openai.json()["error"]), ElementsAre("message", "type", "param", "code"));
  const auto anthropic = get("/v1/messages/nothing");
  EXPECT_EQ(anthropic.head.status, 404) << anthropic.body;
  EXPECT_EQ(anthropic.json()["type"], "error");
  EXPECT_THAT(keys(anthropic.json()["error"]), ElementsAre("type", "message"));
}

TEST_F(ServiceTest, WrongMethodNamesTheRightOnes) {
  const auto answer = ask(request("DELETE", "/v1/models"));
  EXPECT_EQ(answer.head.status, 405);
  EXPECT_EQ(answer.header("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(ask(request("GET", "/abort_request")).header("Allow"), "POST, OPTIONS");
}

TEST_F(ServiceTest, HeadIsGetWithoutABody) {
  const auto answer = ask(request("HEAD", "/health"));
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.head.length, get("/health").body.size());
}

TEST_F(ServiceTest, FormDataIsRefusedBeforeTheBody) {
  auto form = request("POST", "/flush_cache");
  form.headers = {{"content-type", "Multipart/Form-Data; boundary=x"}};
  ASSERT_TRUE(service->refuse(form));
  EXPECT_EQ(service->refuse(form)->first.status, 415);
  EXPECT_EQ(ask(form).head.status, 415);
  EXPECT_FALSE(service->refuse(request("POST", "/flush_cache")));
}

TEST_F(ServiceTest, BadBodiesAreNamed) {
  for (const char* body : {"{", "[1]", "\"x\"", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}"}) {
    const auto answer = ask(request("POST", "/abort_request", body));
    EXPECT_EQ(answer.head.status, 400) << body;
    EXPECT_THAT(answer.json()["error"]["message"].get<std::string>(), HasSubstr("body")) << body;
  }
  const std::string deep = std::string(200, '[') + std::string(200, ']');
  EXPECT_EQ(ask(request("POST", "/abort_request", "{\"a\":" + deep + "}")).head.status, 400);
}

TEST_F(ServiceTest, KeysAreWantedButForHealthAndPage) {
  options.api_keys = {"secret", "other"};
  make();
  EXPECT_EQ(get("/v1/models").head.status, 401);
  EXPECT_EQ(get("/v1/nothing").head.status, 401);
  EXPECT_EQ(get("/v1/models").header("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(ask(request("POST", "/v1/messages", "{}")).json()["error"]["type"], "authentication_error");
  EXPECT_EQ(get("/health").head.status, 200);
  EXPECT_EQ(get("/").head.status, 200);
  EXPECT_EQ(ask(request("OPTIONS", "/v1/models")).head.status, 204);
  EXPECT_EQ(get("/metrics").head.status, 401);
  for (const char* value : {"Bearer secret", "bearer  other"}) {
    auto with = request("GET", "/v1/models");
    with.headers = {{"authorization", value}};
    EXPECT_EQ(ask(with).head.status, 200) << value;
  }
  for (const char* value :
       {"secret", "Bearer secre", "Bearer secrets", "Bearer ", "Basic secret", "Bearer secretsecret"}) {
    auto with = request("GET", "/v1/models");
    with.headers = {{"authorization", value}};
    EXPECT_EQ(ask(with).head.status, 401) << value;
  }
  auto with = request("GET", "/v1/models");
  with.headers = {{"x-api-key", "other"}};
  EXPECT_EQ(ask(with).head.status, 200);
}

TEST_F(ServiceTest, NoCorsUnlessAskedFor) {
  EXPECT_EQ(get("/health").header("Access-Control-Allow-Origin"), "");
  options.cors_origin = "https://example.org";
  make();
  EXPECT_EQ(get("/health").header("Access-Control-Allow-Origin"), "https://example.org");
  EXPECT_EQ(ask(request("OPTIONS", "/v1/models")).header("Access-Control-Allow-Origin"), "https://example.org");
  EXPECT_EQ(get("/nothing").header("Access-Control-Allow-Origin"), "https://example.org");
}

TEST_F(ServiceTest, NotReadyWhileLoadingOrDraining) {
  service = std::make_unique<Service>(options, tokenizer(), std::nullopt);
  EXPECT_EQ(get("/health").head.status, 503);
  EXPECT_EQ(get("/v1/models").head.status, 200);
  EXPECT_EQ(get("/server_info").json()["status"], "loading");
  service->serve(generator);
  EXPECT_EQ(get("/health").head.status, 200);
  service->drain();
  EXPECT_EQ(get("/health").head.status, 503);
  EXPECT_NE(get("/health").header("Retry-After"), "");
}

TEST_F(ServiceTest, ModelsHaveTheirLength) {
  const Json list = get("/v1/models").json();
  ASSERT_EQ(list["data"].size(), 2U);
  EXPECT_EQ(list["data"][0]["id"], "tiny");
  EXPECT_EQ(list["data"][0]["max_model_len"], 2048);
  EXPECT_EQ(get("/v1/models/gpt-4").json()["id"], "gpt-4");
  EXPECT_EQ(get("/v1/models/none").head.status, 404);
  EXPECT_EQ(get("/v1/models/none").json()["error"]["code"], "model_not_found");
  options.any_model_name = true;
  make();
  EXPECT_EQ(get("/v1/models/org/none").json()["id"], "org/none");
}

TEST_F(ServiceTest, InformsFlushesAndAborts) {
  EXPECT_EQ(get("/get_server_info").json()["max_total_num_tokens"], 2048);
  EXPECT_EQ(get("/model_info").json()["is_generation"], true);
  EXPECT_EQ(get("/flush_cache").head.status, 200);
  generator.flushable = false;
  EXPECT_EQ(post("/flush_cache", Json::object()).head.status, 400);
  EXPECT_EQ(post("/abort_request", {{"abort_all", true}}).head.status, 200);
  EXPECT_EQ(generator.cancelled_all, 1);
  EXPECT_EQ(post("/abort_request", {{"rid", 3}}).json()["error"]["param"], "rid");
  EXPECT_EQ(post("/abort_request", {{"rid", "none"}}).json()["aborted"], 0);
  EXPECT_EQ(get("/").body, "<html>page</html>");
  EXPECT_TRUE(get("/").header("Content-Security-Policy").starts_with("default-src 'none'; connect-src 'self';"));
}

TEST_F(ServiceTest, TransportErrorsHaveTheShapeToo) {
  const auto [head, body] = service->transport_error(413, "/v1/messages", "too large");
  EXPECT_EQ(head.status, 413);
  EXPECT_EQ(Json::parse(body)["error"]["type"], "request_too_large");
}

}  // namespace
}  // namespace tetrad
