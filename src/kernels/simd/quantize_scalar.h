// What quantize_simd.h needs beyond vec16.h, for any CPU; what each function means: quantize_avx512.h.

TETRAD_SIMD_INLINE float round_e2m1_one(float r) {
  const float magic = r < 2.0F ? 0x1p22F : r < 4.0F ? 0x1p23F : 0x1p24F;
  return (r + magic) - magic;
}
TETRAD_SIMD_INLINE F32x16 round_e2m1(F32x16 r) {
  for (int j = 0; j < 16; ++j) r.v[j] = round_e2m1_one(r.v[j]);
  return r;
}

TETRAD_SIMD_INLINE F32x16 minus_exact_product(F32x16 u, F32x16 q, F32x16 c) { return u - q * c; }

TETRAD_SIMD_INLINE void store_e2m1(std::uint8_t* out, F32x16 q, Mask16 negative) {
  constexpr std::uint8_t kTable[13] = {0, 1, 2, 3, 4, 0, 5, 0, 6, 0, 0, 0, 7};
  for (int j = 0; j < 8; ++j) {
    const auto low = kTable[static_cast<int>(2 * q.v[2 * j])], high = kTable[static_cast<int>(2 * q.v[2 * j + 1])];
    const std::uint32_t signs = negative.bits >> (2 * j);
    out[j] =
        static_cast<std::uint8_t>(low | (signs & 1U) << 3 | static_cast<std::uint32_t>(high) << 4 | (signs & 2U) << 6);
  }
}

TETRAD_SIMD_INLINE void transpose(F32x16* m) {
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < i; ++j) {
      const float swapped = m[i].v[j];
      m[i].v[j] = m[j].v[i];
      m[j].v[i] = swapped;
    }
}

struct F64x16 {
  double v[16];
};
TETRAD_SIMD_INLINE F64x16 zero_f64() { return {}; }
TETRAD_SIMD_INLINE void add_squares(F64x16* sums, F32x16 a) {
  for (int j = 0; j < 16; ++j) sums->v[j] += static_cast<double>(a.v[j]) * static_cast<double>(a.v[j]);
}
TETRAD_SIMD_INLINE double add_halves(F64x16 a) {
  for (int width = 8; width > 0; width /= 2)
    for (int j = 0; j < width; ++j) a.v[j] += a.v[j + width];
  return a.v[0];
}
