// NVFP4 products for any CPU. Meaning: nvfp4_simd.h.
constexpr std::int8_t kNvTwice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

struct NvCodes {
  std::int8_t w[128];  // by column
};
TETRAD_SIMD_INLINE NvCodes nv_codes(const std::byte* p) {
  NvCodes codes;
  for (int i = 0; i < 64; ++i) {
    codes.w[2 * i] = kNvTwice[static_cast<unsigned>(p[i]) & 0xFU];
    codes.w[2 * i + 1] = kNvTwice[static_cast<unsigned>(p[i]) >> 4];
  }
  return codes;
}
TETRAD_SIMD_INLINE F32x16 nv_scales(const std::byte* p) {
  F32x16 scales;
  for (int j = 0; j < 16; ++j) scales.v[j] = e4m3_to_float(static_cast<std::uint8_t>(p[j / 2])) * 0x1p-8F;
  return scales;
}
TETRAD_SIMD_INLINE std::int32_t nv_plane(const std::byte* x, int i) {
  return static_cast<std::int32_t>(static_cast<std::int8_t>(x[i]));
}
struct NvPlanes {
  const std::byte* at;
};
TETRAD_SIMD_INLINE NvPlanes nv_planes(const std::byte* x) { return {x}; }
TETRAD_SIMD_INLINE F32x16 nv_add_dot(const NvCodes& w, F32x16 w_scale, const NvPlanes& x, F32x16 sums) {
  F32x16 dot;
  for (int d = 0; d < 16; ++d) {
    std::int32_t sum = 0;
    for (int b = 0; b < 4; ++b) {
      const int at = 4 * d + b;
      sum += w.w[2 * at] * (256 * nv_plane(x.at, at) + nv_plane(x.at, 128 + at));
      sum += w.w[2 * at + 1] * (256 * nv_plane(x.at, 64 + at) + nv_plane(x.at, 192 + at));
    }
    dot.v[d] = static_cast<float>(sum);
  }
  return fma(dot, w_scale * load(reinterpret_cast<const float*>(x.at + 320)), sums);
}

// Values of 16 columns, integers up to 32639 in size, of block `block`, to their places in planes, with -12 times the
// sums of the block's dwords.
TETRAD_SIMD_INLINE void nv_store_planes(F32x16 values, int block, std::byte* out) {
  std::int32_t sums[2] = {0, 0};
  for (int j = 0; j < 16; ++j) {
    const auto value = static_cast<std::int32_t>(values.v[j]);
    const std::int32_t high = (value + 128) >> 8;
    const int at = 64 * (j % 2) + 8 * block + j / 2;
    out[at] = static_cast<std::byte>(high & 0xFF);
    out[128 + at] = static_cast<std::byte>((value - 256 * high) & 0xFF);
    sums[j / 8] -= 12 * value;
  }
  __builtin_memcpy(out + 256 + 8 * block, sums, 8);
}
