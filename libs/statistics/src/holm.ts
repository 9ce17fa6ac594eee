/**
 * The p values of a family of tests, adjusted so that rejecting those ≤ α leaves the probability of any false alarm in the whole family ≤ α,
 * however the tests depend on each other: p̃(i) = max over j ≤ i of min(1, (m − j + 1)·p(j)), in ascending order. Answers in the order of the
 * input; never below the p value itself. Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
 * Statistics 6, 1979. Throws RangeError for anything that is not from 0 to 1.
 */
export function holm(pValues: readonly number[]): number[] {
  for (const p of pValues) if (!(p >= 0 && p <= 1)) throw new RangeError(`A p value is from 0 to 1, not ${p}`);
  const adjusted = new Array<number>(pValues.length);
  let largest = 0;
  [...pValues.keys()]
    .sort((a, b) => pValues[a]! - pValues[b]!)
    .forEach((index, rank) => {
      largest = Math.max(largest, Math.min(1, (pValues.length - rank) * pValues[index]!));
      adjusted[index] = largest;
    });
  return adjusted;
}
