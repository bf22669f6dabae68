// Operations on single rows. "bf16" rounds to BF16 at the places where PyTorch's BF16 kernels on a CPU do; the inputs
// are BF16 values then.

TETRAD_SIMD_INLINE F32x16 load_at(const float* p, std::int64_t i, std::int64_t n) {
  return i + 16 <= n ? load(p + i) : load_partial(p + i, static_cast<int>(n - i));
}
TETRAD_SIMD_INLINE void store_at(float* p, std::int64_t i, std::int64_t n, F32x16 a) {
  if (i + 16 <= n)
    store(p + i, a);
  else
    store_partial(p + i, a, static_cast<int>(n - i));
}
TETRAD_SIMD_INLINE F32x16 rounded(F32x16 a, bool bf16) { return bf16 ? round_bf16(a) : a; }

// weight * to_dtype(x * rsqrt(mean(x^2) + eps)): the inner part is F32 in transformers even in BF16.
void rms_norm(const float* x, const float* weight, std::int64_t n, float eps, bool bf16, float* out) {
  F32x16 sums = zero();
  for (std::int64_t i = 0; i < n; i += 16) {
    const F32x16 v = load_at(x, i, n);
    sums = fma(v, v, sums);
  }
  const float mean = hsum(sums) / static_cast<float>(n);
  const F32x16 scale = set1(1.0F / __builtin_sqrtf(mean + eps));
  for (std::int64_t i = 0; i < n; i += 16)
    store_at(out, i, n, rounded(load_at(weight, i, n) * rounded(load_at(x, i, n) * scale, bf16), bf16));
}

// (x * cos) + (rotate_half(x) * sin), each product and the sum rounded.
void rotate(float* x, const float* cos, const float* sin, std::int64_t half, bool bf16) {
  for (std::int64_t i = 0; i < half; i += 16) {
    const F32x16 a = load_at(x, i, half), b = load_at(x + half, i, half);
    const F32x16 c = load_at(cos, i, half), s = load_at(sin, i, half);
    store_at(x, i, half, rounded(rounded(a * c, bf16) + rounded(neg(b) * s, bf16), bf16));
    store_at(x + half, i, half, rounded(rounded(b * c, bf16) + rounded(a * s, bf16), bf16));
  }
}

void swiglu(const float* gate, const float* up, std::int64_t n, bool bf16, float* out) {
  for (std::int64_t i = 0; i < n; i += 16)
    store_at(out, i, n, rounded(rounded(silu(load_at(gate, i, n)), bf16) * load_at(up, i, n), bf16));
}

void add(float* a, const float* b, std::int64_t n, bool bf16) {
  for (std::int64_t i = 0; i < n; i += 16) store_at(a, i, n, rounded(load_at(a, i, n) + load_at(b, i, n), bf16));
}

void add_scaled(float* a, const float* b, float s, std::int64_t n, bool bf16) {
  const F32x16 scale = set1(s);
  for (std::int64_t i = 0; i < n; i += 16)
    store_at(a, i, n, rounded(load_at(a, i, n) + rounded(load_at(b, i, n) * scale, bf16), bf16));
}

float amax(const float* x, std::int64_t n) {
  F32x16 largest = zero(), nan = zero();
  for (std::int64_t i = 0; i < n; i += 16) {
    const F32x16 v = abs(load_at(x, i, n));
    largest = max(v, largest);  // a NaN in v leaves largest alone
    nan = select(is_nan(v), v, nan);
  }
  return mask_bits(is_nan(nan)) != 0 ? __builtin_nanf("") : hmax(largest);
}

// Divided by the scale, not multiplied with its reciprocal: each code is the nearest one.
float quantize_row(const float* x, std::int64_t n, WeightFormat format, std::byte* codes) {
  const bool fp8 = format == WeightFormat::kFp8Row;
  const float largest = amax(x, n);
  if (!(largest <= 3.402823466e38F)) return __builtin_nanf("");
  const float scale = largest / (fp8 ? kE4m3Max : 127.0F);
  if (!(scale >= 0x1p-126F)) {
    __builtin_memset(codes, 0, static_cast<std::size_t>(n));
    return 0.0F;
  }
  for (std::int64_t i = 0; i < n; i += 16) {
    const F32x16 ratio = div(load_at(x, i, n), set1(scale));
    std::byte last[16];
    std::byte* to = i + 16 <= n ? codes + i : last;
    if (fp8)
      to_e4m3(to, ratio);
    else
      to_int8(to, ratio);
    if (to == last) __builtin_memcpy(codes + i, last, static_cast<std::size_t>(n - i));
  }
  return scale;
}

void sigmoid_row(const float* x, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; i += 16) store_at(out, i, n, sigmoid(load_at(x, i, n)));
}

void exp_row(const float* x, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; i += 16) store_at(out, i, n, exp(load_at(x, i, n)));
}

// To the nearest of 0, 0.5, 1, 1.5, 2, 3, 4, 6 for |x|, ties to the even code.
TETRAD_SIMD_INLINE F32x16 e2m1_nearest(F32x16 x) {
  const F32x16 a = min(abs(x), set1(6.0F));
  const F32x16 fine = round_nearest(a * set1(2.0F)) *
                      set1(0.5F);  // steps of 0.5 below 2; a tie goes to the even multiple, which is the even code
  const F32x16 middle = round_nearest(a);  // steps of 1 from 2 to 4
  const F32x16 coarse = round_nearest(a * set1(0.5F)) * set1(2.0F);
  return copysign_of(select(less(a, set1(2.0F)), fine, select(less(a, set1(4.0F)), middle, coarse)), x);
}

void fake_quantize(const float* x, std::int64_t n, float input_scale, float* out) {
  const float g = 1.0F / input_scale;
  for (std::int64_t i = 0; i + 16 <= n; i += 16) {
    const F32x16 v = load(x + i);
    const float s = e4m3_to_float(e4m3_from_float(g * hmax(abs(v)) / 6.0F));
    if (!(s > 0.0F)) {
      store(out + i, zero());
      continue;
    }
    store(out + i, e2m1_nearest(div(v * set1(g), set1(s))) * set1(s * input_scale));
  }
}

void fill_rows(KernelTable& table) {
  table.rms_norm = rms_norm;
  table.rotate = rotate;
  table.swiglu = swiglu;
  table.add = add;
  table.add_scaled = add_scaled;
  table.amax = amax;
  table.quantize_row = quantize_row;
  table.sigmoid = sigmoid_row;
  table.exp = exp_row;
  table.fake_quantize = fake_quantize;
}
