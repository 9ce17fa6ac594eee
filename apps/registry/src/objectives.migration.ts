import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class Registry1700000000002 implements MigrationInterface {
  name = 'Registry1700000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE registry.models ADD COLUMN objectives jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE registry.models DROP COLUMN objectives');
  }
}
