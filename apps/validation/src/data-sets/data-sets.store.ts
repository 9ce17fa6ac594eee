import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError, invalidInput } from '#contracts/errors.js';
import { DataSetEntity, PieceEntity } from './data-set.entity.js';
import { type NumberedRow } from '../judging/rows.js';
import { readRows } from './rows.js';

export const dataSetNotFound = (data_set_id: string): AppError => new AppError('DATA_SET_NOT_FOUND', `Data set ${data_set_id} not found`);

@Injectable()
export class DataSetsStore {
  constructor(private readonly database: DataSource) {}

  /** Keeps the data set from being removed before the transaction that refers to it is over. Throws INVALID_INPUT where it is not there. */
  async assertThere(manager: EntityManager, field: string, data_set_id: string): Promise<void> {
    const found = await manager.findOne(DataSetEntity, {
      where: { data_set_id },
      lock: { mode: 'for_key_share' },
      select: { data_set_id: true },
    });
    if (!found) throw invalidInput([{ field, value: data_set_id, accepted: 'the data_set_id of a data set: POST /validation/datasets' }]);
  }

  /** sha256 of all that was uploaded. */
  async digest(manager: EntityManager, upload_id: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const { content } of this.pieces(upload_id, manager)) hash.update(content);
    return hash.digest('hex');
  }

  /**
   * At most `max_rows` rows, evenly spread over the data set where it has more: the same ones whenever it is asked. One piece of it is in memory at a
   * time. Throws DATA_SET_NOT_FOUND.
   */
  async *rows(data_set_id: string, max_rows: number): AsyncGenerator<NumberedRow> {
    const { manager } = this.database;
    const dataSet = await manager.findOneBy(DataSetEntity, { data_set_id });
    if (!dataSet) throw dataSetNotFound(data_set_id);
    const { format, columns, rows: total, upload_id } = dataSet;
    const isChosen = (index: number): boolean =>
      total <= max_rows || Math.floor((index * max_rows) / total) !== Math.floor(((index - 1) * max_rows) / total);
    let bytes = 0;
    for await (const { content, rows_before } of this.pieces(upload_id, manager)) {
      // A CSV's header is the first record of the first piece, and is read as such there.
      const { rows } = readRows(format, content, { bytes, rows: rows_before, columns: bytes === 0 ? null : columns });
      bytes += content.length;
      for (const [index, values] of rows.entries()) if (isChosen(rows_before + index)) yield { row: rows_before + index + 1, values };
    }
  }

  private async *pieces(upload_id: string, manager: EntityManager): AsyncGenerator<PieceEntity> {
    for (let position = 0; ; position++) {
      const piece = await manager.findOneBy(PieceEntity, { upload_id, position });
      if (!piece) return;
      yield piece;
    }
  }
}
