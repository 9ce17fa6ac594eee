import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** When a key was last used, and by which pepper it was hashed. */
export class RegistryKeyUse1700000000030 implements MigrationInterface {
  name = 'RegistryKeyUse1700000000030';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE registry.keys ADD COLUMN last_used_at timestamptz, ADD COLUMN pepper_id text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE registry.keys DROP COLUMN last_used_at, DROP COLUMN pepper_id');
  }
}
