import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { type Model } from '#contracts/registry.js';
import { type SignatureCheck } from '#contracts/validation.js';
import { KnownModels } from '../known-models.store.js';
import { exchange, parseAnswer } from './exchange.js';
import { InvokeError } from './invoke-error.js';
import { openInferenceUrl } from './open-inference.js';
import { incompatibilities, readSignature, type Signature } from './signature.js';
import { SignatureEntity } from './signature.entity.js';
import { type Ways, WAYS } from './ways.js';

/** A server that has no metadata to give. */
const hasNone = new Set([404, 405, 501]);

export interface Declared {
  signature: Signature | null;
  check: SignatureCheck | null;
}

/** What versions served by `oip_v2` declare. Read once a version and address; a server that could not be asked is asked again by the next run. */
@Injectable()
export class SignaturesStore {
  constructor(
    @InjectRepository(SignatureEntity, 'validation') private readonly signatures: Repository<SignatureEntity>,
    private readonly known: KnownModels,
    @Inject(WAYS) private readonly ways: Ways,
  ) {}

  /** A version's signature, held against that of the stable version of its name. Throws nothing that a model server does. */
  async declaredBy(model: Model, signal: AbortSignal): Promise<Declared> {
    const read = await this.read(model, signal);
    if (read instanceof InvokeError) {
      const problems = [`the metadata could not be read: ${read.code}: ${read.message}`.slice(0, 1_000)];
      return { signature: null, check: { baseline_model_id: null, compatible: null, problems } };
    }
    if (!read) return { signature: null, check: null };
    const stable = this.known.stableVersionOf(model.name);
    const baseline = stable && stable.model_id !== model.model_id ? await this.read(stable, signal) : null;
    if (!stable || !baseline || baseline instanceof InvokeError)
      return { signature: read, check: { baseline_model_id: null, compatible: null, problems: [] } };
    const problems = incompatibilities(baseline, read);
    return { signature: read, check: { baseline_model_id: stable.model_id, compatible: problems.length === 0, problems } };
  }

  /** Null: it declares nothing. */
  private async read({ model_id, name, serving }: Model, signal: AbortSignal): Promise<Signature | InvokeError | null> {
    if (serving?.protocol !== 'oip_v2') return null;
    try {
      const metadata_url = openInferenceUrl(serving, name, '');
      const stored = await this.signatures.findOneBy({ model_id });
      if (stored?.metadata_url === metadata_url) return stored.signature;
      const { body, status } = await exchange(this.ways, serving, { url: metadata_url, method: 'GET', signal });
      const signature = readSignature(parseAnswer(body, status));
      await this.signatures.upsert({ model_id, metadata_url, signature, read_at: new Date().toISOString() }, ['model_id']);
      return signature;
    } catch (error) {
      if (!(error instanceof InvokeError)) throw error;
      return error.status !== null && hasNone.has(error.status) ? null : error;
    }
  }
}
