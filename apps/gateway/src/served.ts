import { type Role } from '#contracts/access.js';
import { type DataClass } from '#contracts/fields.js';

/** What `Serves` says of a route. */
export interface Served {
  /** The class of the handler. */
  controller: new (...dependencies: never[]) => object;
  method: string;
  role: Role;
  input: DataClass;
  output: DataClass;
  /** Path parameters, a part of the input's fields. */
  path: string[];
  /** Where the rest of the input comes from. */
  from: 'query' | 'body';
  takesIfMatch: boolean;
  /** Whether the body is rows that are read as they come: see `Rows`. The input is the query. */
  takesRows: boolean;
  /** Whether it answers with a page. */
  isList: boolean;
}
