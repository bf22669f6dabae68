// Two parts of the keys become one: sums and totals are scaled to the larger maximum. For attention_simd.h and
// amx_attention.h, whose join_factor(x) is e^x or 2^x, as their scores are.
void attend_join(const AttendArgs& args, const AttendPart& earlier, const AttendPart& later) {
  for (std::int64_t row = 0; row < args.rows; ++row) {
    if (later.totals[row] == 0.0F) continue;  // it sees none of these keys
    const float before = earlier.maxima[row], after = later.maxima[row], maximum = before > after ? before : after;
    float factors[16] = {before - maximum, after - maximum};
    store(factors, join_factor(load(factors)));
    const F32x16 first = set1(factors[0]), second = set1(factors[1]);
    float* sums = earlier.sums + row * args.head_dim;
    const float* more = later.sums + row * args.head_dim;
    for (std::int64_t d = 0; d < args.head_dim; d += 16)
      store(sums + d, fma(load(more + d), second, load(sums + d) * first));
    earlier.totals[row] = earlier.totals[row] * factors[0] + later.totals[row] * factors[1];
    earlier.maxima[row] = maximum;
  }
}
