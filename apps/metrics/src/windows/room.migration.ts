import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * A row is written anew with each batch and grows to about twice its first size. Pages that begin a fifth full hold four rows of a busy model with
 * their next versions, so that hardly a row ever moves: moves make the table grow with the events. See docs/adr/0036-rows-with-room.md.
 */
export class RowsWithRoom1700000000036 implements MigrationInterface {
  name = 'RowsWithRoom1700000000036';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE metrics.model_window SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.05)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE metrics.model_window SET (fillfactor = 60)');
    await runner.query('ALTER TABLE metrics.model_window RESET (autovacuum_vacuum_scale_factor)');
  }
}
