#include <gmock/gmock.h>

#include "api/api_fixture.h"
#include "api/metrics.h"

namespace tetrad {
namespace {

using testing::HasSubstr;

class NativeTest : public ApiTest {};

TEST_F(NativeTest, GeneratesFromTextAndIds) {
  say("one two");
  const Json json =
      post("/generate", {{"text", "count"}, {"sampling_params", {{"temperature", 0}, {"max_new_tokens", 20}}}}).json();
  EXPECT_EQ(json["text"], "one two");
  EXPECT_EQ(json["meta_info"]["finish_reason"]["type"], "stop");
  EXPECT_EQ(json["meta_info"]["prompt_tokens"], ids("count").size());
  EXPECT_EQ(generator.requests[0].max_tokens, 20);
  EXPECT_EQ(generator.requests[0].sampling.temperature, 0);
  EXPECT_EQ(post("/generate", {{"input_ids", {{1, 2}, {3}}}}).json().size(), 2U);
  EXPECT_EQ(generator.requests.back().prompt, std::vector<std::int32_t>{3});
  EXPECT_EQ(post("/generate", {{"text", "x"}, {"sampling_params", {{"top_p", 2}}}}).json()["error"]["param"],
            "sampling_params.top_p");
  EXPECT_EQ(post("/generate", Json::object()).json()["error"]["param"], "text");
}

TEST_F(NativeTest, LogprobsFromAStart) {
  say("x y");
  const Json meta = post("/generate", {{"input_ids", {5, 6, 7}},
                                       {"return_logprob", true},
                                       {"logprob_start_len", 1},
                                       {"top_logprobs_num", 2},
                                       {"return_text_in_logprobs", true}})
                        .json()["meta_info"];
  ASSERT_EQ(meta["input_token_logprobs"].size(), 2U);
  EXPECT_EQ(meta["input_token_logprobs"][0][1], 6);
  EXPECT_EQ(meta["output_token_logprobs"].size(), ids("x y").size() + 1);
  EXPECT_EQ(meta["output_token_logprobs"][0][2], "x");
  EXPECT_EQ(meta["output_top_logprobs"][0].size(), 2U);
  const Json all = post("/generate", {{"input_ids", {5, 6, 7}}, {"return_logprob", true}, {"logprob_start_len", 0}})
                       .json()["meta_info"];
  EXPECT_EQ(all["input_token_logprobs"].size(), 3U);
  EXPECT_TRUE(all["input_token_logprobs"][0][0].is_null());
  const Json one = post("/generate", {{"input_ids", {5}}, {"return_logprob", true}, {"logprob_start_len", 0}}).json();
  EXPECT_EQ(one["meta_info"]["input_token_logprobs"], (Json::array({{nullptr, 5, nullptr}})));
  const Json none = post("/generate", {{"input_ids", {5, 6}}, {"return_logprob", true}}).json()["meta_info"];
  EXPECT_EQ(none["input_token_logprobs"], Json::array());
}

TEST_F(NativeTest, StreamsAllTextUpToThen) {
  say("one two three");
  const auto answer = post("/generate", {{"text", "x"}, {"stream", true}});
  EXPECT_EQ(answer.events().back()["text"], "one two three");
  EXPECT_EQ(answer.events().back()["meta_info"]["finish_reason"]["type"], "stop");
  EXPECT_THAT(answer.body, testing::EndsWith("data: [DONE]\n\n"));
}

TEST_F(NativeTest, MetricsCountAndClock) {
  say("one two three");
  generator.its_stats.running = 2;
  generator.its_stats.prompt_tokens = 10;
  generator.its_stats.prompt_tokens_cached = 5;
  post("/generate", {{"text", "x"}});
  get("/nothing");
  service->refuse(request("GET", "/nothing"));
  service->transport_error(413, "/v1/messages", "too large");
  const auto answer = get("/metrics");
  EXPECT_THAT(answer.header("Content-Type"), HasSubstr("version=0.0.4"));
  for (const char* line : {"# TYPE tetrad_num_running_reqs gauge\ntetrad_num_running_reqs{model_name=\"tiny\"} 2\n",
                           "tetrad_cache_hit_rate{model_name=\"tiny\"} 0.5\n",
                           "tetrad_http_responses_total{model_name=\"tiny\",status_code=\"404\"} 2\n",
                           "tetrad_http_responses_total{model_name=\"tiny\",status_code=\"413\"} 1\n",
                           "tetrad_time_to_first_token_seconds_count{model_name=\"tiny\"} 1\n",
                           "tetrad_e2e_request_latency_seconds_bucket{model_name=\"tiny\",le=\"+Inf\"} 1\n"})
    EXPECT_THAT(answer.body, HasSubstr(line));
  const std::string gaps =
      "tetrad_inter_token_latency_seconds_count{model_name=\"tiny\"} " + std::to_string(ids("one two three").size());
  EXPECT_THAT(answer.body, HasSubstr(gaps));
}

TEST(HistogramTest, BucketsAreCumulative) {
  Histogram histogram({1, 2});
  histogram.observe(1);
  histogram.observe(1.5, 3);
  histogram.observe(9);
  EXPECT_EQ(histogram.text("h", "a=\"b\""),
            "tetrad_h_bucket{a=\"b\",le=\"1\"} 1\ntetrad_h_bucket{a=\"b\",le=\"2\"} "
            "4\ntetrad_h_bucket{a=\"b\",le=\"+Inf\"} 5\n"
            "tetrad_h_sum{a=\"b\"} 14.5\ntetrad_h_count{a=\"b\"} 5\n");
}

}  // namespace
}  // namespace tetrad
