import { InferenceReporter } from '#client/inference-reporter.js';
import { beLoad } from './load-process.js';
import { type Plan, plannedEvents } from './planned-event.js';

export interface ReportOptions {
  nats_url: string;
  plan: Plan;
  /** Calls under way: each awaits its acknowledgement before it reports the next event. */
  callers: number;
}

export interface Reported {
  acked: number;
  seconds: number;
}

await beLoad(async ({ nats_url, plan, callers }: ReportOptions) => {
  const events = [...plannedEvents(plan)];
  const reporter = new InferenceReporter({ url: nats_url });
  while (!reporter.stats().connected) await new Promise((resolve) => setTimeout(resolve, 10));
  return async () => {
    const began = performance.now();
    const rest = events.values();
    const call = async (): Promise<void> => {
      for (const event of rest) await reporter.report(event);
    };
    await Promise.all(Array.from({ length: callers }, call));
    const seconds = (performance.now() - began) / 1_000;
    const { acked } = await reporter.close();
    return { acked, seconds };
  };
});
