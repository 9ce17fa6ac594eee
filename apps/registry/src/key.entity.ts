import { Column, Entity, PrimaryColumn, Unique } from 'typeorm';
import { type Role } from '#contracts/access.js';
import { instant } from '#runtime/columns.js';

/** An API key without its secret: `mac` is HMAC-SHA-256(pepper, secret) in hex. */
@Entity('keys')
@Unique('keys_mac', ['mac'])
export class KeyEntity {
  @PrimaryColumn('text')
  key_id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  role!: Role;

  @Column('jsonb', { nullable: true })
  sports!: string[] | null;

  @Column('jsonb', { nullable: true })
  names!: string[] | null;

  @Column('text')
  prefix!: string;

  @Column('text')
  mac!: string;

  @Column('timestamptz', { transformer: instant })
  created_at!: string;

  @Column('text')
  created_by!: string;

  @Column('timestamptz', { nullable: true, transformer: instant })
  expires_at!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  revoked_at!: string | null;

  @Column('timestamptz', { nullable: true, transformer: instant })
  last_used_at!: string | null;

  /** Of the pepper in `mac`; null: of whichever the registry had before it looked at this. */
  @Column('text', { nullable: true })
  pepper_id!: string | null;
}
