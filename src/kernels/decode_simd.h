// Stored weights to F32, 16 at a time; what each format means: tensor/weight_view.h. Included by linear_simd.h for each
// target.

// Where a row's codes and scales are, so that the inner loops only count columns.
struct RowCursor {
  const std::byte* data;
  const std::byte* scales;
};

TETRAD_SIMD_INLINE std::int64_t row_bytes(const RawWeight& w) {
  switch (w.format) {
    case WeightFormat::kF32:
      return 4 * w.cols;
    case WeightFormat::kF16:
    case WeightFormat::kBF16:
      return 2 * w.cols;
    case WeightFormat::kFp8Block:
    case WeightFormat::kInt8Row:
    case WeightFormat::kFp8Row:
      return w.cols;
    case WeightFormat::kNvfp4:
      return w.cols / 2;
  }
  return 0;
}

TETRAD_SIMD_INLINE RowCursor row_cursor(const RawWeight& w, std::int64_t row) {
  RowCursor cursor{w.data + row * row_bytes(w), w.scales};
  if (w.format == WeightFormat::kFp8Block) cursor.scales += row / w.block_rows * w.scale_cols * 4;
  if (w.format == WeightFormat::kNvfp4) cursor.scales += row * w.scale_cols;
  if (w.format == WeightFormat::kInt8Row || w.format == WeightFormat::kFp8Row) cursor.scales += 4 * row;
  return cursor;
}

TETRAD_SIMD_INLINE float block_scale(const RowCursor& cursor, std::int64_t block) {
  float scale;
  __builtin_memcpy(&scale, cursor.scales + 4 * block, 4);
  return scale;
}

// What decode16 multiplies codes with; block: of kFp8Block's columns. kFp8Row: its codes come as 2^-8 of their values.
template <WeightFormat kFormat>
TETRAD_SIMD_INLINE F32x16 code_scale(const RowCursor& cursor, std::int64_t block) {
  if constexpr (kFormat == WeightFormat::kFp8Block) return set1(block_scale(cursor, block));
  if constexpr (kFormat == WeightFormat::kInt8Row) return set1(block_scale(cursor, 0));
  if constexpr (kFormat == WeightFormat::kFp8Row) return set1(block_scale(cursor, 0) * 256.0F);
  return zero();
}

// Columns [col, col + 16), all inside the row and, for kFp8Block, inside one block.
template <WeightFormat kFormat>
TETRAD_SIMD_INLINE F32x16 decode16(const RawWeight& w, const RowCursor& cursor, std::int64_t col, F32x16 scale) {
  if constexpr (kFormat == WeightFormat::kF32) return from_f32(cursor.data + 4 * col);
  if constexpr (kFormat == WeightFormat::kF16) return from_f16(cursor.data + 2 * col);
  if constexpr (kFormat == WeightFormat::kBF16) return from_bf16(cursor.data + 2 * col);
  if constexpr (kFormat == WeightFormat::kFp8Block) return round_bf16(from_e4m3(cursor.data + col) * scale);
  if constexpr (kFormat == WeightFormat::kInt8Row) return from_int8(cursor.data + col) * scale;
  if constexpr (kFormat == WeightFormat::kFp8Row) return from_e4m3_256th(cursor.data + col) * scale;
  if constexpr (kFormat == WeightFormat::kNvfp4) {
    const float block = kE4m3Values[static_cast<std::uint8_t>(cursor.scales[col / 16])] * w.tensor_scale;
    return from_e2m1(cursor.data + col / 2) * set1(block);
  }
}

// One element, for the columns behind the last full 16 and for FP8 blocks whose width 16 does not divide.
inline float decode_one(const RawWeight& w, const RowCursor& cursor, std::int64_t col) {
  const std::byte* p = cursor.data;
  std::uint16_t half = 0;
  float value = 0.0F;
  switch (w.format) {
    case WeightFormat::kF32:
      __builtin_memcpy(&value, p + 4 * col, 4);
      return value;
    case WeightFormat::kF16:
      __builtin_memcpy(&half, p + 2 * col, 2);
      return f16_to_float(half);
    case WeightFormat::kBF16:
      __builtin_memcpy(&half, p + 2 * col, 2);
      return bf16_to_float(half);
    case WeightFormat::kFp8Block:
      return round_to_bf16(kE4m3Values[static_cast<std::uint8_t>(p[col])] * block_scale(cursor, col / w.block_cols));
    case WeightFormat::kInt8Row:
      return static_cast<float>(static_cast<std::int8_t>(p[col])) * block_scale(cursor, 0);
    case WeightFormat::kFp8Row:
      return kE4m3Values[static_cast<std::uint8_t>(p[col])] * block_scale(cursor, 0);
    case WeightFormat::kNvfp4:
      break;  // cols % 16 == 0 always
  }
  return value;
}

template <WeightFormat kFormat>
inline void decode_row(const RawWeight& w, std::int64_t row, float* out, std::int64_t stride) {
  const RowCursor cursor = row_cursor(w, row);
  std::int64_t col = 0;
  if constexpr (kFormat == WeightFormat::kFp8Block) {
    if (w.block_cols % 16 == 0)
      for (; col + 16 <= w.cols; col += 16)
        store(out + col, decode16<kFormat>(w, cursor, col, code_scale<kFormat>(cursor, col / w.block_cols)));
  } else {
    const F32x16 scale = code_scale<kFormat>(cursor, 0);
    for (; col + 16 <= w.cols; col += 16) store(out + col, decode16<kFormat>(w, cursor, col, scale));
  }
  for (; col < w.cols; ++col) out[col] = decode_one(w, cursor, col);
  for (; col < stride; ++col) out[col] = 0.0F;
}

void decode_rows(const RawWeight& w, std::int64_t row, std::int64_t count, float* out, std::int64_t stride) {
  for (std::int64_t i = 0; i < count; ++i, out += stride) {
    switch (w.format) {
      case WeightFormat::kF32:
        decode_row<WeightFormat::kF32>(w, row + i, out, stride);
        break;
      case WeightFormat::kF16:
        decode_row<WeightFormat::kF16>(w, row + i, out, stride);
        break;
      case WeightFormat::kBF16:
        decode_row<WeightFormat::kBF16>(w, row + i, out, stride);
        break;
      case WeightFormat::kFp8Block:
        decode_row<WeightFormat::kFp8Block>(w, row + i, out, stride);
        break;
      case WeightFormat::kNvfp4:
        decode_row<WeightFormat::kNvfp4>(w, row + i, out, stride);
        break;
      case WeightFormat::kInt8Row:
        decode_row<WeightFormat::kInt8Row>(w, row + i, out, stride);
        break;
      case WeightFormat::kFp8Row:
        decode_row<WeightFormat::kFp8Row>(w, row + i, out, stride);
        break;
    }
  }
}
