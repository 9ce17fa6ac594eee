import { lnGamma } from './distributions.js';

/**
 * ln of the e-value against "units go to the arms in these shares": of the Dirichlet–multinomial with parameters αᵢ = k·wᵢ·K for K arms, k = 1,
 * over the multinomial with shares wᵢ. At ln(1/α) the shares are refuted at level α, however often one looks; e-values of separate times (say,
 * before and after a change of the shares) may be multiplied. Source: Lindon, Malek, "Anytime-valid inference for multinomial count data",
 * NeurIPS 2022 (arXiv 2011.03567).
 *
 * `units` are counts ≥ 0 of independent units, such as users; requests are none where one user makes many. They may be fractions of units.
 * `shares` are > 0 and add up to 1 within rounding; RangeError otherwise, or where the lists differ in length.
 */
export function sampleRatioLogE(units: readonly number[], shares: readonly number[]): number {
  if (units.length !== shares.length) throw new RangeError(`${units.length} counts for ${shares.length} shares`);
  if (!units.every((count) => Number.isFinite(count) && count >= 0)) throw new RangeError('Counts of units are at least 0');
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (!shares.every((share) => share > 0) || !(Math.abs(total - 1) < 1e-9)) throw new RangeError('Shares are above 0 and add up to 1');
  const n = units.reduce((sum, count) => sum + count, 0);
  const arms = shares.length;
  let logE = lnGamma(arms) - lnGamma(arms + n);
  for (const [arm, share] of shares.entries()) {
    const alpha = share * arms;
    logE += lnGamma(alpha + units[arm]!) - lnGamma(alpha) - units[arm]! * Math.log(share);
  }
  return logE;
}
