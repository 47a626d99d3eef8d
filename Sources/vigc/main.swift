print("vigc")
