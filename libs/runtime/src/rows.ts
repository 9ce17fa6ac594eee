import { type Type } from '@nestjs/common';
import { type EntityManager } from 'typeorm';

/** INSERT of one whole row. TypeORM's own partial type does not take free JSON; the parameter's type here asks for more than it, not less. */
export async function insertRow<Row extends object>(manager: EntityManager, entity: Type<Row>, row: Row): Promise<void> {
  await manager.insert(entity, row);
}
