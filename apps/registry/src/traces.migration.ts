import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** The trace that what is to be published is a part of. */
export class RegistryTraces1700000000035 implements MigrationInterface {
  name = 'RegistryTraces1700000000035';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE registry.outbox ADD COLUMN traceparent text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE registry.outbox DROP COLUMN traceparent');
  }
}
