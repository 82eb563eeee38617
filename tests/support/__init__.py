"""What the end-to-end tests share: the engine under test, waiting, processes, driver programs.

Layout:
  engine     which engine is tested, and the markers of a test's own session
  waiting    `wait_until`, the only way in which a test waits for something
  processes  what /proc says: the processes of a driver's tree, memory, descriptors
  leftovers  what a driver may have forgotten: shared memory, sockets, files
  programs   drivers that run in a process of their own
  balance    resources and objects are back where they were
  gates      meeting points for tasks that run at the same time
  cancelled  tasks to be cancelled, and what is expected then
  actors     actor classes that more than one test file needs
"""
