import { useStack } from './harness.ts';
import { sendRandomRequests } from './randomRequests.ts';

useStack();
sendRandomRequests(['POST', 'PUT', 'DELETE']);
