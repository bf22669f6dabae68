// NVFP4 products for any CPU. Meaning: nvfp4_simd.h.
constexpr unsigned kNvRegisters = 16;
constexpr int kNvFetchTo = 3;  // L1
constexpr std::int8_t kNvTwice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

struct NvCodes {
  std::int8_t w[256];  // by column
};
TETRAD_SIMD_INLINE NvCodes nv_codes(const std::byte* p) {
  NvCodes codes;
  for (int i = 0; i < 128; ++i) {
    codes.w[2 * i] = kNvTwice[static_cast<unsigned>(p[i]) & 0xFU];
    codes.w[2 * i + 1] = kNvTwice[static_cast<unsigned>(p[i]) >> 4];
  }
  return codes;
}
TETRAD_SIMD_INLINE F32x16 nv_scales(const std::byte* p) {
  F32x16 scales;
  for (int lane = 0; lane < 16; ++lane)
    scales.v[lane] = e4m3_to_float(static_cast<std::uint8_t>(p[8 * (lane % 2) + lane / 2])) * 0x1p-8F;
  return scales;
}

// A lane's sum over 4 planes. The second half's blocks have their second dword in "x".
TETRAD_SIMD_INLINE std::int32_t nv_dot(const NvCodes& w, const std::byte* x, int lane) {
  const std::int8_t* codes = w.w + 128 * (lane % 2) + 16 * (lane / 2);
  std::int32_t sum = 0;
  for (int j = 0; j < 16; ++j) {
    const int plane = 2 * ((lane % 2 + j / 8) % 2) + j % 2;
    sum += codes[j] * static_cast<std::int32_t>(static_cast<std::int8_t>(x[64 * plane + 4 * lane + j % 8 / 2]));
  }
  return sum;
}
struct NvPlanes16 {
  const std::byte* at;
  TETRAD_SIMD_INLINE static NvPlanes16 load(const std::byte* p) { return {p}; }
};
TETRAD_SIMD_INLINE F32x16 nv_add_dot(const NvCodes& w, F32x16 w_scale, const NvPlanes16& x, F32x16 sums) {
  F32x16 dot;
  for (int lane = 0; lane < 16; ++lane)
    dot.v[lane] = static_cast<float>(256 * nv_dot(w, x.at, lane) + nv_dot(w, x.at + 256, lane));
  return fma(dot, w_scale * load(reinterpret_cast<const float*>(x.at + 576)), sums);
}
struct NvPlanes8 {
  const std::byte* at;
  TETRAD_SIMD_INLINE static NvPlanes8 load(const std::byte* p) { return {p}; }
};
TETRAD_SIMD_INLINE F32x16 nv_add_dot(const NvCodes& w, F32x16 w_scale, const NvPlanes8& x, F32x16 sums) {
  F32x16 dot;
  for (int lane = 0; lane < 16; ++lane) dot.v[lane] = static_cast<float>(nv_dot(w, x.at, lane));
  return fma(dot, w_scale * load(reinterpret_cast<const float*>(x.at + 320)), sums);
}

// Integers of 16 columns as bytes, those of even and of odd columns of each half together.
TETRAD_SIMD_INLINE void nv_words(F32x16 q, std::int32_t* out) {
  std::int8_t bytes[16];
  for (int j = 0; j < 16; ++j) bytes[8 * (j / 8) + 4 * (j % 2) + j % 8 / 2] = static_cast<std::int8_t>(q.v[j]);
  __builtin_memcpy(out, bytes, 16);
}
