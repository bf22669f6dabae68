// Functions written once on top of F32x16, hence the same bits on every target.

// e^x within 2 ulp (tested against double precision over the whole range): x = n ln 2 + r, |r| <= ln 2 / 2, a degree-6
// minimax-like polynomial (Taylor to degree 7, error below 2^-27 relative) and two exact scalings, so that subnormal
// results are rounded once and overflow gives infinity. NaN stays NaN.
TETRAD_SIMD_INLINE F32x16 exp(F32x16 x) {
  x = max(set1(-104.0F), min(set1(89.0F), x));  // NaN passes: min and max return their second operand then
  const F32x16 n = round_nearest(x * set1(1.44269504088896341F));
  const F32x16 r = fma(n, set1(-1.42860682030941723e-6F), fma(n, set1(-0.693145751953125F), x));
  F32x16 p = set1(1.9841269841e-4F);
  p = fma(p, r, set1(1.3888888889e-3F));
  p = fma(p, r, set1(8.3333333333e-3F));
  p = fma(p, r, set1(4.1666666667e-2F));
  p = fma(p, r, set1(1.6666666667e-1F));
  p = fma(p, r, set1(0.5F));
  p = fma(p * r, r, r) + set1(1.0F);
  const F32x16 half = round_nearest(n * set1(0.5F));
  return (p * exp2_int(half)) * exp2_int(n - half);
}

// x / (1 + e^-x): tends to -0 and x; NaN for -infinity, as PyTorch's.
TETRAD_SIMD_INLINE F32x16 silu(F32x16 x) { return div(x, set1(1.0F) + exp(neg(x))); }
TETRAD_SIMD_INLINE F32x16 sigmoid(F32x16 x) { return div(set1(1.0F), set1(1.0F) + exp(neg(x))); }
