import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Controller, Get, Res } from '@nestjs/common';
import { ApiExcludeController, type OpenAPIObject } from '@nestjs/swagger';
import { type FastifyReply } from 'fastify';
import { Public } from './serves.decorator.js';

/** The API's description, once the routes are known. */
export class ApiDescription {
  document: OpenAPIObject | null = null;
}

const assets = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Enterprise Model Registry API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

const start = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true });`;

/** `/openapi.json` and Swagger UI over it. Three files by name; nothing here maps a path to the disk. */
@ApiExcludeController()
@Controller()
export class DocsController {
  constructor(private readonly api: ApiDescription) {}

  @Get('openapi.json')
  @Public()
  openapi(): OpenAPIObject {
    if (!this.api.document) throw new Error('The API is described before it listens');
    return this.api.document;
  }

  @Get('docs')
  @Public()
  docs(@Res({ passthrough: true }) reply: FastifyReply): string {
    void reply
      .type('text/html; charset=utf-8')
      .header(
        'content-security-policy',
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
      );
    return page;
  }

  @Get('docs/start.js')
  @Public()
  start(@Res({ passthrough: true }) reply: FastifyReply): string {
    void reply.type('text/javascript; charset=utf-8');
    return start;
  }

  @Get('docs/swagger-ui.css')
  @Public()
  async style(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    void reply.type('text/css; charset=utf-8');
    return readFile(join(assets, 'swagger-ui.css'), 'utf8');
  }

  @Get('docs/swagger-ui-bundle.js')
  @Public()
  async script(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    void reply.type('text/javascript; charset=utf-8');
    return readFile(join(assets, 'swagger-ui-bundle.js'), 'utf8');
  }
}
