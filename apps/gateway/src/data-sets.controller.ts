import { Controller, Delete, Get, Post } from '@nestjs/common';
import {
  abandonUpload,
  beginUpload,
  DataSet,
  DataSetFilter,
  DataSetRef,
  finishUpload,
  getDataSet,
  listDataSets,
  maxDataSetBytes,
  NewDataSet,
  putChunk,
  removeDataSet,
  uploadChunkBytes,
} from '#contracts/data-set.js';
import { AppError } from '#contracts/errors.js';
import { type Page } from '#contracts/page.js';
import { type Removed } from '#contracts/request.js';
import { Bus } from '#runtime/bus.js';
import { type Caller } from '#runtime/caller.js';
import { By } from './by.decorator.js';
import { type RowStream } from './row-stream.js';
import { Input, Rows, rowTypes, Serves } from './serves.decorator.js';

const notRows = (): AppError =>
  new AppError('UNSUPPORTED_MEDIA_TYPE', 'The body is neither NDJSON nor CSV', {
    field: 'Content-Type',
    accepted: Object.keys(rowTypes).join(' or '),
  });

@Controller('validation/datasets')
export class DataSetsController {
  constructor(private readonly bus: Bus) {}

  /** The next piece is read when the validation service has taken the one before. */
  @Post()
  @Serves({
    input: NewDataSet,
    output: DataSet,
    role: 'editor',
    from: 'query',
    takesRows: true,
    summary: 'Upload a data set, as NDJSON or CSV',
  })
  async uploadDataSet(@Input() input: NewDataSet, @Rows() body: RowStream | undefined, @By() caller: Caller): Promise<DataSet> {
    if (!body) throw notRows();
    const pieces = body.pieces(uploadChunkBytes, maxDataSetBytes);
    // What can be told of the request by itself is told before an upload is begun.
    let piece = await pieces.next();
    const upload = await this.bus.ask(beginUpload, { ...input, format: body.format }, caller);
    try {
      for (let position = 0; !piece.done; position++) {
        await this.bus.ask(putChunk, { ...upload, position, content: piece.value.toString('base64') }, caller);
        piece = await pieces.next();
      }
      return await this.bus.ask(finishUpload, upload, caller);
    } catch (error) {
      // One that cannot be told is given up by itself later.
      await this.bus.ask(abandonUpload, upload, caller).catch(() => undefined);
      throw error;
    } finally {
      await pieces.return(undefined);
    }
  }

  @Get()
  @Serves({ ...listDataSets, role: 'viewer', from: 'query', summary: 'List data sets' })
  listDataSets(@Input() input: DataSetFilter, @By() caller: Caller): Promise<Page<DataSet>> {
    return this.bus.ask(listDataSets, input, caller);
  }

  @Get(':data_set_id')
  @Serves({ ...getDataSet, role: 'viewer', path: ['data_set_id'], from: 'query', summary: 'What is known of a data set' })
  getDataSet(@Input() input: DataSetRef, @By() caller: Caller): Promise<DataSet> {
    return this.bus.ask(getDataSet, input, caller);
  }

  @Delete(':data_set_id')
  @Serves({
    ...removeDataSet,
    role: 'editor',
    path: ['data_set_id'],
    from: 'query',
    summary: 'Remove a data set that no test case uses; runs that had it keep their results',
  })
  removeDataSet(@Input() input: DataSetRef, @By() caller: Caller): Promise<Removed> {
    return this.bus.ask(removeDataSet, input, caller);
  }
}
