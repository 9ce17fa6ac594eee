import { Instant, Line, OneOf, Text, Texts, Whole } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { Removed, request } from './request.js';

export const dataSetFormats = ['ndjson', 'csv'] as const;
export type DataSetFormat = (typeof dataSetFormats)[number];

export const maxDataSetBytes = 50_000_000;
export const maxDataSetRows = 1_000_000;

/** How much of an upload travels in one message: far below NATS's 1 MB, and read within a moment. */
export const uploadChunkBytes = 256 * 1024;

export const DataSetId = (options: { nullable?: boolean } = {}): PropertyDecorator =>
  Text({
    ...options,
    max: 64,
    pattern: /^[0-9a-f]{64}$/,
    accepted: 'the sha256 of the data set, 64 of 0-9 and a-f',
    example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  });

export class DataSetRef {
  @DataSetId()
  data_set_id!: string;
}

/** Labelled rows that regression cases are judged on. Their id is the sha256 of what was uploaded. */
export class DataSet extends DataSetRef {
  @Text({ min: 0, max: 200 })
  name!: string;

  @OneOf(dataSetFormats)
  format!: DataSetFormat;

  @Whole()
  rows!: number;

  @Whole()
  bytes!: number;

  @Texts({ max: 200, max_items: 1000, description: '`csv`: the header. `ndjson`: the keys of the first row.' })
  columns!: string[];

  @Instant()
  created_at!: string;

  @Text({ max: 100 })
  created_by!: string;
}

export class NewDataSet {
  @Line({ max: 200, optional: true })
  name?: string;
}

export class UploadStart extends NewDataSet {
  @OneOf(dataSetFormats)
  format!: DataSetFormat;
}

export class UploadRef {
  @Text({ max: 36, pattern: /^[0-9a-f-]{36}$/, accepted: 'a UUID' })
  upload_id!: string;
}

/** The next piece of an upload. Sent again, it counts once. */
export class UploadChunk extends UploadRef {
  @Whole({ description: 'From 0, without gaps.' })
  position!: number;

  @Text({ max: Math.ceil(uploadChunkBytes / 3) * 4, pattern: /^[A-Za-z0-9+/]*={0,2}$/, accepted: 'base64' })
  content!: string;
}

export class UploadState extends UploadRef {
  @Whole()
  rows!: number;
}

export class DataSetFilter extends PageRequest {}

export class DataSetPage extends pageOf(DataSet) {}

export const beginUpload = request('validation.begin_upload', { input: UploadStart, output: UploadRef });
export const putChunk = request('validation.put_chunk', { input: UploadChunk, output: UploadState, timeout_ms: 10_000 });
/** Reads the whole upload once more. */
export const finishUpload = request('validation.finish_upload', { input: UploadRef, output: DataSet, timeout_ms: 20_000 });
export const abandonUpload = request('validation.abandon_upload', { input: UploadRef, output: Removed });
export const listDataSets = request('validation.list_data_sets', { input: DataSetFilter, output: DataSetPage });
export const getDataSet = request('validation.get_data_set', { input: DataSetRef, output: DataSet });
export const removeDataSet = request('validation.remove_data_set', { input: DataSetRef, output: Removed });
