import { openapiContract } from '../shared/contract/service.ts';
import { serve } from '../shared/http.ts';
import { openApiDocument } from '../shared/openapi.ts';

serve(openapiContract, {
  GET: async () => ({ body: openApiDocument() }),
});
