import { randomUUID } from 'node:crypto';
import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { isNarrowed } from '#contracts/access.js';
import {
  abandonUpload,
  beginUpload,
  type DataSet,
  type DataSetFilter,
  type DataSetRef,
  finishUpload,
  getDataSet,
  listDataSets,
  maxDataSetBytes,
  maxDataSetRows,
  putChunk,
  removeDataSet,
  type UploadChunk,
  type UploadRef,
  type UploadStart,
  type UploadState,
} from '#contracts/data-set.js';
import { AppError, invalidInput, raise, serviceUnavailable } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { type Removed } from '#contracts/request.js';
import { Answers } from '#runtime/answers.js';
import { AuditStore } from '#runtime/audit.store.js';
import { currentCaller } from '#runtime/caller.js';
import { cursorParts, cursorText, fillPage } from '#runtime/cursor.js';
import { insertRow } from '#runtime/rows.js';
import { TestCaseEntity } from '../test-case.entity.js';
import { DataSetEntity, PieceEntity, UploadEntity } from './data-set.entity.js';
import { dataSetNotFound, DataSetsStore } from './data-sets.store.js';
import { BadRow, lastRowEnd, maxRowBytes, readRows, type RowsRead } from './rows.js';

const maxUploads = 8;
/** An upload that nobody went on with for so long is given up when the next one begins. */
const giveUpAfterMs = 600_000;

/**
 * Uploads come in pieces, each of which any replica can take: what has come and what the next piece goes on from is in the database, so a process
 * that is killed between two pieces loses nothing, and one killed within a piece has not taken it. Data sets hold no secret of a model; keys
 * narrowed to some models see all of them, and remove only their own.
 */
@Controller()
export class DataSetsHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly audit: AuditStore,
    private readonly dataSets: DataSetsStore,
  ) {}

  @Answers(beginUpload)
  async beginUpload({ name = '', format }: UploadStart): Promise<UploadRef> {
    const now = Date.now();
    const upload: UploadEntity = {
      ...{ upload_id: randomUUID(), name, format, position: 0, rows: 0, bytes: 0, unfinished: Buffer.alloc(0), columns: null },
      touched_at: new Date(now).toISOString(),
    };
    await this.database.transaction(async (manager) => {
      const stale = await manager
        .createQueryBuilder(UploadEntity, 'upload')
        .select('upload.upload_id')
        .where('upload.touched_at < :before', { before: new Date(now - giveUpAfterMs).toISOString() })
        .getMany();
      for (const { upload_id } of stale) await this.forget(manager, upload_id);
      if ((await manager.count(UploadEntity)) >= maxUploads)
        throw new AppError('TOO_MANY_REQUESTS', 'Too many data sets are being uploaded; try again later', { limit: maxUploads });
      await insertRow(manager, UploadEntity, upload);
    });
    return { upload_id: upload.upload_id };
  }

  @Answers(putChunk)
  async putChunk({ upload_id, position, content }: UploadChunk): Promise<UploadState> {
    return this.database.transaction(async (manager) => {
      const upload = await this.lock(manager, upload_id);
      // Its answer was lost: it has been taken.
      if (position < upload.position) return { upload_id, rows: upload.rows };
      if (position > upload.position) throw new Error(`Piece ${position} of an upload came instead of ${upload.position}`);
      const bytes = Buffer.concat([upload.unfinished, Buffer.from(content, 'base64')]);
      const end = lastRowEnd(upload.format, bytes);
      const after = await this.add(manager, upload, bytes.subarray(0, end), bytes.subarray(end));
      await manager.save(UploadEntity, after);
      return { upload_id, rows: after.rows };
    });
  }

  /** What is the same as an existing data set, byte for byte, is that data set. */
  @Answers(finishUpload)
  async finishUpload({ upload_id }: UploadRef): Promise<DataSet> {
    const { actor } = currentCaller();
    return this.database.transaction(async (manager) => {
      const upload = await this.lock(manager, upload_id);
      const { name, format, rows, bytes, columns } = await this.add(manager, upload, upload.unfinished, Buffer.alloc(0));
      if (rows === 0) throw invalidInput([{ field: '(body)', accepted: 'at least one row' }]);
      const data_set_id = await this.dataSets.digest(manager, upload_id);
      const dataSet: DataSetEntity = {
        ...{ data_set_id, upload_id, name, format, rows, bytes, columns: columns ?? [] },
        ...{ created_at: new Date().toISOString(), created_by: actor.name },
      };
      const inserted = await manager
        .createQueryBuilder()
        .insert()
        .into(DataSetEntity)
        .values(dataSet)
        .orIgnore()
        .returning('data_set_id')
        .execute();
      if ((inserted.raw as unknown[]).length === 0) {
        const known = (await manager.findOneBy(DataSetEntity, { data_set_id })) ?? raise(serviceUnavailable('validation'));
        if (known.format !== format)
          throw new AppError('DATA_SET_EXISTS', `The same content is a data set already, as ${known.format}`, { data_set_id });
        await this.forget(manager, upload_id);
        return shown(known);
      }
      await manager.delete(UploadEntity, { upload_id });
      await this.audit.write(manager, {
        ...{ action: 'data_set.created', subject_type: 'data_set', subject_id: data_set_id },
        ...{ before: null, after: shown(dataSet) },
      });
      return shown(dataSet);
    });
  }

  @Answers(abandonUpload)
  async abandonUpload({ upload_id }: UploadRef): Promise<Removed> {
    await this.database.transaction((manager) => this.forget(manager, upload_id));
    return { removed: true };
  }

  /** In the order of their ids. */
  @Answers(listDataSets)
  async listDataSets(filter: DataSetFilter): Promise<Page<DataSet>> {
    const query = this.database.manager.createQueryBuilder(DataSetEntity, 'data_set').orderBy('data_set.data_set_id');
    if (filter.cursor !== undefined) query.where('data_set.data_set_id > :after', { after: cursorParts(filter.cursor, 1)[0] });
    return fillPage(
      filter,
      async (rows) => (await query.take(rows).getMany()).map(shown),
      ({ data_set_id }) => cursorText([data_set_id]),
    );
  }

  @Answers(getDataSet)
  async getDataSet({ data_set_id }: DataSetRef): Promise<DataSet> {
    return shown((await this.database.manager.findOneBy(DataSetEntity, { data_set_id })) ?? raise(dataSetNotFound(data_set_id)));
  }

  @Answers(removeDataSet)
  async removeDataSet({ data_set_id }: DataSetRef): Promise<Removed> {
    const { actor } = currentCaller();
    await this.database.transaction(async (manager) => {
      const row = await manager.findOne(DataSetEntity, { where: { data_set_id }, lock: { mode: 'pessimistic_write' } });
      const dataSet = row ?? raise(dataSetNotFound(data_set_id));
      if (isNarrowed(actor.scope) && dataSet.created_by !== actor.name)
        throw new AppError('OUT_OF_SCOPE', `Data set ${data_set_id} was uploaded by another key`);
      const users = await manager
        .createQueryBuilder(TestCaseEntity, 'test_case')
        .select('test_case.test_case_id')
        .where(`test_case.data->>'data_set_id' = :data_set_id`, { data_set_id })
        .take(10)
        .getMany();
      if (users.length) {
        const test_case_ids = users.map(({ test_case_id }) => test_case_id);
        throw new AppError('DATA_SET_IN_USE', `Data set ${data_set_id} is used by test cases`, { test_case_ids });
      }
      await manager.delete(DataSetEntity, { data_set_id });
      await manager.delete(PieceEntity, { upload_id: dataSet.upload_id });
      await this.audit.write(manager, {
        ...{ action: 'data_set.removed', subject_type: 'data_set', subject_id: data_set_id },
        ...{ before: shown(dataSet), after: null },
      });
    });
    return { removed: true };
  }

  /** The upload with these whole rows, which are stored; `unfinished` is left for the next piece. Throws INVALID_INPUT or REQUEST_TOO_LARGE. */
  private async add(manager: EntityManager, upload: UploadEntity, whole: Buffer, unfinished: Buffer): Promise<UploadEntity> {
    const { upload_id, format } = upload;
    const { rows, columns } = read(upload, whole);
    const after: UploadEntity = {
      ...upload,
      ...{ position: upload.position + 1, rows: upload.rows + rows.length, bytes: upload.bytes + whole.length, unfinished, columns },
      touched_at: new Date().toISOString(),
    };
    if (after.bytes + unfinished.length > maxDataSetBytes)
      throw new AppError('REQUEST_TOO_LARGE', 'The data set is too large', { accepted: `at most ${maxDataSetBytes} bytes` });
    if (after.rows > maxDataSetRows)
      throw new AppError('REQUEST_TOO_LARGE', 'The data set has too many rows', { accepted: `at most ${maxDataSetRows} rows` });
    if (unfinished.length > maxRowBytes) {
      const accepted = `a row of at most ${maxRowBytes} bytes${format === 'csv' ? ', every quote closed' : ''}`;
      throw invalidInput([{ field: `row ${after.rows + 1}`, accepted }]);
    }
    // Also without a whole row: positions have no gaps.
    const piece = { upload_id, position: upload.position, rows_before: upload.rows, rows: rows.length, content: whole };
    await insertRow(manager, PieceEntity, piece);
    return after;
  }

  private async lock(manager: EntityManager, upload_id: string): Promise<UploadEntity> {
    const upload = await manager.findOne(UploadEntity, { where: { upload_id }, lock: { mode: 'pessimistic_write' } });
    return upload ?? raise(serviceUnavailable('validation'));
  }

  private async forget(manager: EntityManager, upload_id: string): Promise<void> {
    // First this: it waits for a piece that is just being taken, and none is taken after it.
    await manager.delete(UploadEntity, { upload_id });
    await manager.delete(PieceEntity, { upload_id });
  }
}

function read({ format, bytes, rows, columns }: UploadEntity, whole: Buffer): RowsRead {
  try {
    return readRows(format, whole, { bytes, rows, columns });
  } catch (error) {
    throw error instanceof BadRow ? invalidInput([error.problem]) : error;
  }
}

const shown = ({ upload_id: _, ...dataSet }: DataSetEntity): DataSet => dataSet;
