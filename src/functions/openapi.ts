import { openapiContract } from '../shared/contract/operations.ts';
import { openApiDocument } from '../shared/http/openapi.ts';
import { serve } from '../shared/http/serve.ts';

serve(openapiContract, {
  GET: async () => ({ body: openApiDocument() }),
});
