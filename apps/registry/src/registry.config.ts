import { bearerSecret } from '#contracts/access.js';
import { OneOf, Text } from '#contracts/fields.js';
import { type KeyKind, keyKinds } from '#contracts/key-text.js';
import { ServiceConfig } from '#runtime/config.js';

export class RegistryConfig extends ServiceConfig {
  /** Mixed into every stored key hash; the same at every gateway. */
  @Text({ min: 32, max: 200, accepted: 'a secret of at least 32 characters, the same for registry and gateway' })
  KEY_PEPPER!: string;

  /** How new keys begin: `emr_live_…` or `emr_test_…`. */
  @OneOf(keyKinds, { optional: true })
  KEY_KIND: KeyKind = 'live';

  /** The first admin key, made when it is not there yet. */
  @Text({ ...bearerSecret, optional: true })
  BOOTSTRAP_ADMIN_KEY?: string;
}
