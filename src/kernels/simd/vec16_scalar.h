// F32x16 for any CPU: an array and plain loops. Meaning: vec16.h.
struct F32x16 {
  float v[16];
};
struct Mask16 {
  std::uint32_t bits;
};

#define TETRAD_LANES(expression)                      \
  F32x16 r;                                           \
  for (int j = 0; j < 16; ++j) r.v[j] = (expression); \
  return r
#define TETRAD_LANE_MASK(condition)                                                \
  std::uint32_t bits = 0;                                                          \
  for (int j = 0; j < 16; ++j) bits |= static_cast<std::uint32_t>(condition) << j; \
  return { bits }

TETRAD_SIMD_INLINE F32x16 load(const float* p) { TETRAD_LANES(p[j]); }
TETRAD_SIMD_INLINE void store(float* p, F32x16 a) {
  for (int j = 0; j < 16; ++j) p[j] = a.v[j];
}
TETRAD_SIMD_INLINE F32x16 set1(float a) { TETRAD_LANES(a); }
TETRAD_SIMD_INLINE F32x16 zero() { TETRAD_LANES(0.0F); }
TETRAD_SIMD_INLINE F32x16 iota() { TETRAD_LANES(static_cast<float>(j)); }
// One load, not one for each use.
TETRAD_SIMD_INLINE void keep(F32x16& a) { static_cast<void>(a); }
TETRAD_SIMD_INLINE F32x16 load_partial(const float* p, int n) { TETRAD_LANES(j < n ? p[j] : 0.0F); }
TETRAD_SIMD_INLINE void store_partial(float* p, F32x16 a, int n) {
  for (int j = 0; j < n; ++j) p[j] = a.v[j];
}

// a * b + c rounded once. The product is exact in double; the sum is rounded to odd there, so that the second rounding,
// to F32, is the right one (Boldo, Melquiond 2008). Not the C library's fmaf: a call for each
// and, on the CPUs without AVX2 that this target is for, software as well.
TETRAD_SIMD_INLINE float fma_one(float a, float b, float c) {
  const double p = static_cast<double>(a) * static_cast<double>(b), d = static_cast<double>(c);
  const double sum = p + d;
  const double back = sum - p;
  const double error = (p - (sum - back)) + (d - back);  // exact; NaN where the sum is not finite
  const std::int64_t bits = __builtin_bit_cast(std::int64_t, sum);
  const std::int64_t towards = (error > 0.0) == (sum > 0.0) ? 1 : -1;
  const bool adjust = ((error > 0.0) | (error < 0.0)) & ((bits & 1) == 0);
  return static_cast<float>(__builtin_bit_cast(double, bits + (adjust ? towards : 0)));
}

// A register's worth of lanes: the matrix kernels run over them part by part.
struct Part {
  float v[4];
};
constexpr int kParts = 4;
TETRAD_SIMD_INLINE Part part_zero() { return {}; }
TETRAD_SIMD_INLINE Part part_load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
TETRAD_SIMD_INLINE Part part_fma(Part a, Part b, Part c) {
  for (int j = 0; j < 4; ++j) c.v[j] = fma_one(a.v[j], b.v[j], c.v[j]);
  return c;
}
TETRAD_SIMD_INLINE void part_store(float* p, Part a) {
  for (int j = 0; j < 4; ++j) p[j] = a.v[j];
}

TETRAD_SIMD_INLINE F32x16 operator+(F32x16 a, F32x16 b) { TETRAD_LANES(a.v[j] + b.v[j]); }
TETRAD_SIMD_INLINE F32x16 operator-(F32x16 a, F32x16 b) { TETRAD_LANES(a.v[j] - b.v[j]); }
TETRAD_SIMD_INLINE F32x16 operator*(F32x16 a, F32x16 b) { TETRAD_LANES(a.v[j] * b.v[j]); }
TETRAD_SIMD_INLINE F32x16 div(F32x16 a, F32x16 b) { TETRAD_LANES(a.v[j] / b.v[j]); }
TETRAD_SIMD_INLINE F32x16 sqrt(F32x16 a) { TETRAD_LANES(__builtin_sqrtf(a.v[j])); }
TETRAD_SIMD_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { TETRAD_LANES(fma_one(a.v[j], b.v[j], c.v[j])); }
TETRAD_SIMD_INLINE F32x16 min(F32x16 a, F32x16 b) { TETRAD_LANES(a.v[j] < b.v[j] ? a.v[j] : b.v[j]); }
TETRAD_SIMD_INLINE F32x16 max(F32x16 a, F32x16 b) { TETRAD_LANES(a.v[j] > b.v[j] ? a.v[j] : b.v[j]); }
TETRAD_SIMD_INLINE F32x16 abs(F32x16 a) { TETRAD_LANES(__builtin_fabsf(a.v[j])); }
TETRAD_SIMD_INLINE F32x16 neg(F32x16 a) { TETRAD_LANES(-a.v[j]); }
TETRAD_SIMD_INLINE F32x16 copysign_of(F32x16 magnitude, F32x16 sign) {
  TETRAD_LANES(__builtin_copysignf(magnitude.v[j], sign.v[j]));
}
TETRAD_SIMD_INLINE float round_one(
    float a) {  // ties to even, keeps the sign of zero; nearbyintf is a slow call without SSE4.1
  if (!(__builtin_fabsf(a) < 0x1p23F)) return a;
  const float magic = __builtin_copysignf(0x1p23F, a);
  return __builtin_copysignf((a + magic) - magic, a);
}
TETRAD_SIMD_INLINE F32x16 round_nearest(F32x16 a) { TETRAD_LANES(round_one(a.v[j])); }

TETRAD_SIMD_INLINE Mask16 less(F32x16 a, F32x16 b) { TETRAD_LANE_MASK(a.v[j] < b.v[j]); }
TETRAD_SIMD_INLINE Mask16 less_equal(F32x16 a, F32x16 b) { TETRAD_LANE_MASK(a.v[j] <= b.v[j]); }
TETRAD_SIMD_INLINE Mask16 equal(F32x16 a, F32x16 b) { TETRAD_LANE_MASK(a.v[j] == b.v[j]); }
TETRAD_SIMD_INLINE Mask16 is_nan(F32x16 a) { TETRAD_LANE_MASK(a.v[j] != a.v[j]); }
TETRAD_SIMD_INLINE F32x16 select(Mask16 m, F32x16 a, F32x16 b) {
  TETRAD_LANES((m.bits >> j & 1U) != 0 ? a.v[j] : b.v[j]);
}
TETRAD_SIMD_INLINE Mask16 mask_and(Mask16 a, Mask16 b) { return {a.bits & b.bits}; }
TETRAD_SIMD_INLINE Mask16 mask_or(Mask16 a, Mask16 b) { return {a.bits | b.bits}; }
TETRAD_SIMD_INLINE Mask16 mask_not(Mask16 a) { return {a.bits ^ 0xFFFFU}; }
TETRAD_SIMD_INLINE std::uint32_t mask_bits(Mask16 a) { return a.bits; }

TETRAD_SIMD_INLINE std::uint16_t load_u16(const std::byte* p) {
  std::uint16_t bits;
  __builtin_memcpy(&bits, p, 2);
  return bits;
}
TETRAD_SIMD_INLINE F32x16 from_f32(const std::byte* p) {
  F32x16 r;
  __builtin_memcpy(&r, p, sizeof(r));
  return r;
}
TETRAD_SIMD_INLINE F32x16 from_bf16(const std::byte* p) { TETRAD_LANES(bf16_to_float(load_u16(p + 2 * j))); }
TETRAD_SIMD_INLINE float pair_half(float a, bool high) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &a, 4);
  bits = high ? bits & 0xFFFF0000U : bits << 16;
  __builtin_memcpy(&a, &bits, 4);
  return a;
}
TETRAD_SIMD_INLINE F32x16 pair_low(F32x16 a) { TETRAD_LANES(pair_half(a.v[j], false)); }
TETRAD_SIMD_INLINE F32x16 pair_high(F32x16 a) { TETRAD_LANES(pair_half(a.v[j], true)); }
constexpr unsigned kApart = 1;
TETRAD_SIMD_INLINE void from_bf16_apart(const std::byte* p, F32x16* out) { out[0] = from_bf16(p); }
TETRAD_SIMD_INLINE void join_apart(F32x16* /*a*/) {}
TETRAD_SIMD_INLINE F32x16 from_f16(const std::byte* p) { TETRAD_LANES(f16_to_float(load_u16(p + 2 * j))); }
TETRAD_SIMD_INLINE F32x16 from_e4m3(const std::byte* p) {
  TETRAD_LANES(e4m3_to_float(static_cast<std::uint8_t>(p[j])));
}
TETRAD_SIMD_INLINE F32x16 from_e4m3_256th(const std::byte* p) {
  TETRAD_LANES(e4m3_to_float(static_cast<std::uint8_t>(p[j])) * 0x1p-8F);
}
TETRAD_SIMD_INLINE F32x16 from_int8(const std::byte* p) {
  TETRAD_LANES(static_cast<float>(static_cast<std::int8_t>(p[j])));
}
TETRAD_SIMD_INLINE float e2m1_one(std::uint32_t code) {
  constexpr float kTable[8] = {0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F};
  return (code & 8U) != 0 ? -kTable[code & 7U] : kTable[code & 7U];
}
TETRAD_SIMD_INLINE F32x16 from_e2m1(const std::byte* p) {
  TETRAD_LANES(e2m1_one(static_cast<std::uint32_t>(p[j / 2]) >> (4 * (j & 1)) & 0xFU));
}
TETRAD_SIMD_INLINE F32x16 round_bf16(F32x16 a) { TETRAD_LANES(round_to_bf16(a.v[j])); }
TETRAD_SIMD_INLINE void to_bf16(std::byte* p, F32x16 a) {
  for (int j = 0; j < 16; ++j) {
    const std::uint16_t bits = bf16_from_float(a.v[j]);
    __builtin_memcpy(p + 2 * j, &bits, 2);
  }
}
TETRAD_SIMD_INLINE void to_int8(std::byte* p, F32x16 a) {
  for (int j = 0; j < 16; ++j) p[j] = static_cast<std::byte>(static_cast<std::int8_t>(round_one(a.v[j])));
}
TETRAD_SIMD_INLINE void to_e4m3(std::byte* p, F32x16 a) {
  for (int j = 0; j < 16; ++j) p[j] = static_cast<std::byte>(e4m3_from_float(a.v[j]));
}
TETRAD_SIMD_INLINE float exp2_one(float n) {  // NaN converts as the vector units convert it
  const std::uint32_t integer = n == n ? static_cast<std::uint32_t>(static_cast<std::int32_t>(n)) : 0x80000000U;
  return __builtin_bit_cast(float, (integer + 127U) << 23);
}
TETRAD_SIMD_INLINE F32x16 exp2_int(F32x16 n) { TETRAD_LANES(exp2_one(n.v[j])); }

TETRAD_SIMD_INLINE float hsum(F32x16 a) {
  for (int width = 8; width > 0; width /= 2)
    for (int j = 0; j < width; ++j) a.v[j] = a.v[j] + a.v[j + width];
  return a.v[0];
}
TETRAD_SIMD_INLINE float hmax(F32x16 a) {
  for (int width = 8; width > 0; width /= 2)
    for (int j = 0; j < width; ++j) a.v[j] = a.v[j] > a.v[j + width] ? a.v[j] : a.v[j + width];
  return a.v[0];
}
#undef TETRAD_LANES
#undef TETRAD_LANE_MASK
