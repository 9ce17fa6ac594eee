import { type PipeTransform } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { type DataClass } from '#contracts/fields.js';
import { parse } from '#contracts/parse.js';
import { type RequestContract } from '#contracts/request.js';

class InputPipe implements PipeTransform {
  constructor(private readonly input: DataClass) {}

  transform(value: unknown): object {
    return parse(this.input, value);
  }
}

/**
 * Makes a method the answer to a request contract: its one parameter is the contract's input, already checked, and what it resolves to is
 * the contract's output. A wrong type on either side does not compile.
 */
export function Answers<In extends object, Out extends object>(contract: RequestContract<In, Out>) {
  return (target: object, key: string, descriptor: TypedPropertyDescriptor<(input: In) => Promise<Out>>): void => {
    Payload(new InputPipe(contract.input))(target, key, 0);
    MessagePattern(contract.subject)(target, key, descriptor);
  };
}
