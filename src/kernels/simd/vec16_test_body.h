// Runs every operation of vec16.h over groups of 16 inputs; out takes kVecTestOutputs floats a group. For
// vec16_test.cpp.
void run_vec16(const float* a, const float* b, const float* c, const std::byte* raw, float* out) {
  const F32x16 x = load(a), y = load(b), z = load(c);
  std::byte finite[16];  // codes of from_e4m3_256th
  for (int j = 0; j < 16; ++j) finite[j] = (raw[j] & std::byte{0x7F}) == std::byte{0x7F} ? std::byte{0x7E} : raw[j];
  const F32x16 results[] = {x + y,
                            x - y,
                            x * y,
                            div(x, y),
                            sqrt(abs(x)),
                            fma(x, y, z),
                            min(x, y),
                            max(x, y),
                            abs(x),
                            neg(x),
                            copysign_of(x, y),
                            round_nearest(x),
                            select(less(x, y), x, z),
                            select(less_equal(x, y), x, z),
                            select(equal(x, y), x, z),
                            select(mask_or(is_nan(x), mask_not(mask_and(less(y, x), less(y, z)))), y, z),
                            from_bf16(raw),
                            from_f16(raw),
                            from_e4m3(raw),
                            from_e2m1(raw),
                            pair_low(x),
                            pair_high(x),
                            round_bf16(x),
                            exp(x),
                            silu(x),
                            sigmoid(x),
                            load_partial(a, 5),
                            set1(hsum(x)),
                            set1(hmax(x)),
                            iota(),
                            set1(static_cast<float>(mask_bits(less(x, y)))),
                            from_int8(raw),
                            from_e4m3_256th(finite)};
  int i = 0;
  for (const F32x16& result : results) store(out + 16 * i++, result);
  for (int j = 0; j < 16; ++j) out[16 * i + j] = 0.0F;
  store_partial(out + 16 * i, y, 7);
  ++i;
  for (int j = 0; j < 16; ++j) out[16 * i + j] = 0.0F;
  to_bf16(reinterpret_cast<std::byte*>(out + 16 * i), x);
  ++i;
  for (int j = 0; j < 16; ++j) out[16 * i + j] = 0.0F;
  to_int8(reinterpret_cast<std::byte*>(out + 16 * i), min(max(x * set1(20.0F), set1(-127.0F)), set1(127.0F)));
  to_e4m3(reinterpret_cast<std::byte*>(out + 16 * i + 4), min(max(x * set1(80.0F), set1(-448.0F)), set1(448.0F)));
  to_e4m3(reinterpret_cast<std::byte*>(out + 16 * i + 8), min(max(x * set1(0.01F), set1(-448.0F)), set1(448.0F)));
}
