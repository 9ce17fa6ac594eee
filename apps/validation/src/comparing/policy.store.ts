import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { raise } from '#contracts/errors.js';
import { PolicyEntity } from './policy.entity.js';

@Injectable()
export class PolicyStore {
  constructor(private readonly database: DataSource) {}

  /** The policy in force; the first one is there from the beginning. */
  async current(manager: EntityManager = this.database.manager): Promise<PolicyEntity> {
    const [latest] = await manager.find(PolicyEntity, { order: { revision: 'DESC' }, take: 1 });
    return latest ?? raise(new Error('There is no policy'));
  }

  at(revision: number): Promise<PolicyEntity | null> {
    return this.database.manager.findOneBy(PolicyEntity, { revision });
  }
}
